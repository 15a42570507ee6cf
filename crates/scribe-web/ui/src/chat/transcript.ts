// What was said in a conversation, kept by this browser.

import { shared } from "../parts/storage";

export interface ChatMessage {
  id: string;
  role: "user" | "assistant";
  content: string;
  /** Why an answer is not whole. */
  broken?: "stopped" | "broke" | undefined;
  /** What a command in the question has done. */
  command?: string | undefined;
}

const PREFIX = "scribe.chat.";

function isMessage(found: unknown): found is ChatMessage {
  const { id, content } = (found ?? {}) as Partial<ChatMessage>;
  return typeof id === "string" && typeof content === "string";
}

/** Calls back when another tab has said something in the conversation. */
export function onSaidElsewhere(conversationId: string, callback: () => void): () => void {
  const hear = (event: StorageEvent) => event.key === PREFIX + conversationId && callback();
  window.addEventListener("storage", hear);
  return () => window.removeEventListener("storage", hear);
}

export function load(conversationId: string): ChatMessage[] {
  try {
    const found: unknown = JSON.parse(shared.get(PREFIX + conversationId) ?? "[]");
    return Array.isArray(found) ? found.filter(isMessage) : [];
  } catch {
    return [];
  }
}

export function store(conversationId: string, messages: ChatMessage[]): void {
  shared.set(PREFIX + conversationId, JSON.stringify(messages));
}

/** The conversations that this browser knows and in which something was said, with the first words of each. */
export function known(): { id: string; begins: string }[] {
  const ids = shared.keys(PREFIX).map((key) => key.slice(PREFIX.length));
  return ids.flatMap((id) => {
    const first = load(id).find((message) => message.role === "user");
    return first ? [{ id, begins: first.content.split("\n")[0]!.slice(0, 120) }] : [];
  });
}

export function forget(conversationId: string): void {
  shared.remove(PREFIX + conversationId);
}
