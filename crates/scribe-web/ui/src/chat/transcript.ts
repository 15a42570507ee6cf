// What was said in a conversation, kept by this browser.

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

export function load(conversationId: string): ChatMessage[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(PREFIX + conversationId) ?? "[]");
    return Array.isArray(found) ? (found as ChatMessage[]) : [];
  } catch {
    return [];
  }
}

export function store(conversationId: string, messages: ChatMessage[]): void {
  try {
    localStorage.setItem(PREFIX + conversationId, JSON.stringify(messages));
  } catch {
    // No room: what was said stays on the page, and the document is the server's.
  }
}

/** The conversations that this browser knows and in which something was said, with the first words of each. */
export function known(): { id: string; begins: string }[] {
  const ids = Object.keys(localStorage)
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => key.slice(PREFIX.length));
  return ids.flatMap((id) => {
    const first = load(id).find((message) => message.role === "user");
    return first ? [{ id, begins: first.content.split("\n")[0]!.slice(0, 120) }] : [];
  });
}

export function forget(conversationId: string): void {
  localStorage.removeItem(PREFIX + conversationId);
}
