// What happens in a conversation, as the API tells it: server-sent events, read with `fetch` because a token goes along.

import { createParser } from "eventsource-parser";

import { credentials, noticeRefusal, type Session, type Status, type TurnView } from "./client";
import { poll } from "./polling";

/** Text that is being written and that nobody has checked. */
export interface Draft {
  messageId: string;
  attempt: number;
  claimed: number;
  number: number;
  edits: { action: string; block?: string | null; markdown: string }[];
  cut: boolean;
}

export type ScribeEvent =
  | { type: "state"; session: Session; status: Status; etag: string | null; turns: TurnView[]; complete: boolean }
  | { type: "turn"; turn: TurnView }
  | { type: "dismissed"; messageId: string }
  | ({ type: "writing" } & Draft)
  | { type: "withdrawn"; messageId: string; claimed: number }
  | { type: "version"; etag: string | null; messageId?: string | null }
  | { type: "saved"; etag: string | null; userId: string }
  | { type: "switched"; scribeEnabled: boolean }
  | { type: "degraded" }
  | { type: "gone" };

export type Connection = "connecting" | "open" | "polling" | "lost" | "absent";

const SHORTEST_WAIT = 500;
const LONGEST_WAIT = 10_000;
/** A stream that has not begun by then is held up somewhere; what it would tell is asked for. */
const LONGEST_START = 4_000;
/** A stream that says nothing for so long, not even a heartbeat, is dead. */
const SILENCE = 45_000;

/** Follows a conversation until it is stopped, and comes back by itself with what it has seen. */
export function follow(
  conversationId: string,
  hear: (event: ScribeEvent) => void,
  connected: (connection: Connection) => void,
): () => void {
  const stop = new AbortController();
  let lastEventId: string | undefined;
  let wait = SHORTEST_WAIT;
  let wake: (() => void) | undefined;

  let polling: (() => void) | undefined;
  const startPolling = () => {
    polling ??= poll(conversationId, hear, connected);
  };
  const stopPolling = () => {
    polling?.();
    polling = undefined;
  };

  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function once(): Promise<"again" | "lost" | "absent"> {
    const attempt = new AbortController();
    const abort = () => attempt.abort();
    stop.signal.addEventListener("abort", abort);
    // The connection may look alive for a while.
    window.addEventListener("offline", abort);
    let silence = setTimeout(abort, SILENCE);
    const start = setTimeout(startPolling, LONGEST_START);
    try {
      const headers: Record<string, string> = { accept: "text/event-stream", ...credentials() };
      if (lastEventId) headers["last-event-id"] = lastEventId;
      const path = `/api/chat/background-doc/${encodeURIComponent(conversationId)}/events`;
      const response = await fetch(path, { headers, signal: attempt.signal, cache: "no-store" });
      noticeRefusal(response);
      if (response.status === 404 || response.status === 410) {
        return "absent";
      }
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      let [ended, gone] = [false, false];
      const parser = createParser({
        onEvent({ id, event, data }) {
          if (id) lastEventId = id;
          const read: unknown = JSON.parse(data);
          if (event === "turn") hear({ type: "turn", turn: read as TurnView });
          else if (event === "end") ended = true;
          else hear({ ...(read as object), type: event } as ScribeEvent);
          if (event === "gone") gone = true;
        },
      });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let isFirst = true;
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        if (isFirst) {
          isFirst = false;
          clearTimeout(start);
          stopPolling();
          connected("open");
          wait = SHORTEST_WAIT;
        }
        clearTimeout(silence);
        silence = setTimeout(abort, SILENCE);
        parser.feed(value);
      }
      if (gone) return "absent";
      return ended ? "again" : "lost";
    } finally {
      clearTimeout(silence);
      clearTimeout(start);
      stop.signal.removeEventListener("abort", abort);
      window.removeEventListener("offline", abort);
    }
  }

  async function run() {
    while (!stop.signal.aborted) {
      const came = await once().catch(() => "lost" as const);
      if (stop.signal.aborted) return;
      if (came === "absent") {
        stopPolling();
        connected("absent");
        return;
      }
      if (came === "again") continue;
      startPolling();
      await sleep(wait + Math.random() * wait * 0.3);
      wait = Math.min(LONGEST_WAIT, wait * 2);
    }
  }

  const hurry = () => wake?.();
  window.addEventListener("online", hurry);
  connected("connecting");
  void run();
  return () => {
    stop.abort();
    stopPolling();
    hurry();
    window.removeEventListener("online", hurry);
  };
}
