import { useEffect, useState } from "react";

import { ago, span, texts } from "../texts";
import { type Glance, glance, type Live } from "./live";

/** Colours of the dot beside the words. */
const moods: Record<Glance["kind"], string> = {
  connecting: "idle",
  none: "idle",
  offline: "bad",
  degraded: "warn",
  off: "idle",
  finishing: "busy",
  paused: "warn",
  listening: "good",
  waiting: "busy",
  failed: "bad",
  writing: "busy",
  upToDate: "good",
  gone: "bad",
};

function words(glance: Glance, now: number, question: (messageId: string) => string): string {
  switch (glance.kind) {
    case "failed":
      return texts.failedTurns(glance.turns);
    case "paused":
      return texts.status.paused(glance.waiting);
    case "waiting":
      return texts.status.waiting(glance.waiting, span(Math.max(0, now - glance.since)));
    case "writing":
      return texts.status.writing(question(glance.messageId));
    case "upToDate":
      return texts.status.upToDate(ago(glance.when, now));
    case "off":
      return texts.status.offSince;
    default:
      return texts.status[glance.kind];
  }
}

/** How the scribe stands, in one line that is always there. */
export function StatusLine({ live, question }: { live: Live; question: (messageId: string) => string }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const seen = glance(live);
  return (
    <p className="status" data-status={seen.kind}>
      <span className={`dot ${moods[seen.kind]}`} aria-hidden="true" />
      <span className="status-words">{words(seen, now, question)}</span>
    </p>
  );
}
