// An answer of the chat, as it comes: OpenAI's events, one JSON object, or plain text.

import { createParser } from "eventsource-parser";

import { credentials, failure, noticeRefusal, offline } from "../api/client";
import type { ChatMessage } from "./transcript";

interface Chunk {
  choices?: { delta?: { content?: string | null }; message?: { content?: string | null }; finish_reason?: string | null }[];
  type?: string;
  delta?: string;
  error?: unknown;
}

/**
 * Asks the chat; tells what a command in the question has done, and then each piece of the answer. Gives whether the
 * answer came to its end. Throws a `Failure` where none comes.
 */
export async function ask(
  conversationId: string,
  messages: ChatMessage[],
  signal: AbortSignal,
  hear: (piece: string) => void,
  obey: (command: string) => void,
): Promise<boolean> {
  let response: Response;
  try {
    response = await fetch("/api/agent-lore", {
      method: "POST",
      headers: { "content-type": "application/json", ...credentials() },
      body: JSON.stringify({
        conversationId,
        messages: messages.map(({ id, role, content }) => ({ id, role, content })),
      }),
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw offline();
  }
  noticeRefusal(response);
  const command = response.headers.get("x-scribe-command") ?? undefined;
  if (!response.ok || !response.body) {
    throw failure(await response.json().catch(() => undefined), response.status);
  }
  if (command) obey(command);
  const kind = (response.headers.get("content-type") ?? "").split(";")[0]!.trim();
  let whole = false;
  if (kind === "application/json") {
    const body = (await response.json()) as Chunk;
    hear(body.choices?.[0]?.message?.content ?? "");
    return true;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = createParser({
    onEvent({ data }) {
      if (data === "[DONE]") {
        whole = true;
        return;
      }
      let chunk: Chunk;
      try {
        chunk = JSON.parse(data) as Chunk;
      } catch {
        return;
      }
      // The AI SDK's events say it in their own words.
      if (chunk.type === "text-delta") hear(chunk.delta ?? "");
      if (chunk.type === "finish") whole = true;
      const choice = chunk.choices?.[0];
      if (choice?.delta?.content) hear(choice.delta.content);
      if (choice?.finish_reason) whole = true;
    },
  });
  const isEvents = kind === "text/event-stream";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (isEvents) parser.feed(value);
      else hear(value);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return whole;
  }
  return whole || !isEvents;
}
