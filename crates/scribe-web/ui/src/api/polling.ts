// What happens in a conversation, asked for again and again: for networks that let no stream of events through.

import { api, ask, Failure } from "./client";
import type { Connection, ScribeEvent } from "./events";

/** How long from one question to the next one, in milliseconds. */
const PAUSE = 2_000;

/** Asks until it is stopped. */
export function poll(
  conversationId: string,
  hear: (event: ScribeEvent) => void,
  connected: (connection: Connection) => void,
): () => void {
  const stop = new AbortController();
  const tags = { state: "", turns: "" };
  const held = <T>(asked: Promise<{ data: T; response: Response }>) =>
    asked.catch((error: unknown) => {
      if (error instanceof Failure && error.status === 304) return undefined;
      throw error;
    });
  const question = (tag: string) => ({
    params: { path: { conversationId }, header: { "if-none-match": tag || null } },
    cache: "no-store" as const,
    signal: stop.signal,
  });
  let known: Extract<ScribeEvent, { type: "state" }> | undefined;

  const once = async () => {
    const [state, turns] = await Promise.all([
      held(ask(api.GET("/api/chat/background-doc/{conversationId}", question(tags.state)))),
      held(ask(api.GET("/api/chat/background-doc/{conversationId}/turns", question(tags.turns)))),
    ]);
    if (stop.signal.aborted) return;
    connected("polling");
    if (!state && !turns) return;
    tags.state = state?.response.headers.get("etag") ?? tags.state;
    tags.turns = turns?.response.headers.get("etag") ?? tags.turns;
    const { session, status } = state?.data ?? known ?? {};
    const listed = turns?.data.turns ?? known?.turns ?? [];
    if (!session || !status) return;
    known = { type: "state", session, status, etag: null, turns: listed, complete: true };
    hear(known);
  };
  const again = async () => {
    while (!stop.signal.aborted) {
      await once().catch((error: unknown) => {
        if (stop.signal.aborted) return;
        // Whether it has gone is for the events to say.
        if (!(error instanceof Failure) || error.status !== 404) connected("lost");
      });
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  };
  void again();
  return () => stop.abort();
}
