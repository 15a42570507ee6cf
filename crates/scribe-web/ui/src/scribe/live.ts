// How a conversation stands, from the events that the API tells.

import type { Session, Status, TurnView } from "../api/client";
import type { Connection, Draft, ScribeEvent } from "../api/events";

export interface Live {
  connection: Connection;
  session?: Session | undefined;
  status?: Status | undefined;
  turns: Map<string, TurnView>;
  drafts: Map<string, Draft>;
  degraded: boolean;
  gone: boolean;
  /** Rises whenever the document may have a newer version. */
  versions: number;
  /** When the last version was told, in milliseconds since 1970. */
  lastVersion?: number | undefined;
}

export const nothing: Live = {
  connection: "connecting",
  turns: new Map(),
  drafts: new Map(),
  degraded: false,
  gone: false,
  versions: 0,
};

/** A draft is over when its turn is anything but being written. */
function without(drafts: Map<string, Draft>, turn: TurnView): Map<string, Draft> {
  if (turn.state === "processing" || !drafts.has(turn.messageId)) return drafts;
  const rest = new Map(drafts);
  rest.delete(turn.messageId);
  return rest;
}

export function connected(live: Live, connection: Connection): Live {
  return { ...live, connection };
}

export function hear(live: Live, event: ScribeEvent): Live {
  switch (event.type) {
    case "state": {
      const turns = event.complete ? new Map<string, TurnView>() : new Map(live.turns);
      for (const turn of event.turns) turns.set(turn.messageId, turn);
      const { session, status } = event;
      return { ...live, session, status, turns, drafts: new Map(), degraded: false, versions: live.versions + 1 };
    }
    case "turn": {
      const turns = new Map(live.turns).set(event.turn.messageId, event.turn);
      return { ...live, turns, drafts: without(live.drafts, event.turn) };
    }
    case "dismissed": {
      const turns = new Map(live.turns);
      turns.delete(event.messageId);
      return { ...live, turns };
    }
    case "writing": {
      const before = live.drafts.get(event.messageId);
      const isOld =
        before &&
        (before.claimed > event.claimed || (before.claimed === event.claimed && before.number >= event.number));
      return isOld ? live : { ...live, drafts: new Map(live.drafts).set(event.messageId, event) };
    }
    case "withdrawn": {
      const drafts = new Map(live.drafts);
      drafts.delete(event.messageId);
      return { ...live, drafts };
    }
    case "version":
    case "saved": {
      const lastVersion = event.type === "version" ? Date.now() : live.lastVersion;
      return { ...live, versions: live.versions + 1, lastVersion };
    }
    case "switched": {
      const status = live.status && { ...live.status, scribeEnabled: event.scribeEnabled };
      const session = live.session && { ...live.session, scribeEnabled: event.scribeEnabled };
      return { ...live, status, session };
    }
    case "degraded":
      return { ...live, degraded: true, drafts: new Map() };
    case "gone":
      return { ...live, gone: true, session: undefined, status: undefined };
    default:
      return live;
  }
}

export type Glance =
  | { kind: "connecting" | "none" | "offline" | "degraded" | "off" | "finishing" | "listening" | "gone" }
  | { kind: "failed"; turns: number }
  | { kind: "paused"; waiting: number }
  | { kind: "waiting"; waiting: number; since: number }
  | { kind: "writing"; messageId: string; others: number }
  | { kind: "upToDate"; when: string };

/** What a person is to know at a glance. */
export function glance(live: Live): Glance {
  if (live.gone) return { kind: "gone" };
  if (live.connection === "lost") return { kind: "offline" };
  if (!live.session || !live.status) return { kind: live.connection === "absent" ? "none" : "connecting" };
  const turns = [...live.turns.values()].sort((a, b) => a.seq - b.seq);
  const writing = turns.find((turn) => turn.state === "processing");
  const waiting = turns.filter((turn) => turn.state === "pending" || turn.state === "paused");
  if (!live.status.scribeEnabled) {
    if (writing) return { kind: "finishing" };
    return waiting.length > 0 ? { kind: "paused", waiting: waiting.length } : { kind: "off" };
  }
  if (live.degraded) return { kind: "degraded" };
  if (writing) return { kind: "writing", messageId: writing.messageId, others: waiting.length };
  const oldest = waiting[0];
  if (oldest) return { kind: "waiting", waiting: waiting.length, since: oldest.times.recorded ?? Date.now() };
  const lost = turns.filter((turn) => turn.state === "failed").length;
  if (lost > 0) return { kind: "failed", turns: lost };
  const written = turns.filter((turn) => turn.state === "processed");
  if (written.length === 0 && live.status.messageCount === 0) return { kind: "listening" };
  const last = Math.max(0, ...written.map((turn) => turn.times.finished ?? 0));
  return { kind: "upToDate", when: last > 0 ? new Date(last).toISOString() : live.status.lastUpdateAt };
}

export function failed(live: Live): TurnView[] {
  return [...live.turns.values()].filter((turn) => turn.state === "failed").sort((a, b) => a.seq - b.seq);
}
