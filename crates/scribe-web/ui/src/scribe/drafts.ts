// What was typed and is not saved yet, kept in the browser: it survives a reload and a lost connection.
//
// The text that was shown is kept once, and what was typed since as changes to it, so that a key pressed in a long
// document costs no copy of the document.

import { ChangeSet } from "@codemirror/state";

import { shared } from "../parts/storage";
import { thisTab } from "../parts/tab";
import type { Ranges } from "./own";

/** What was typed, with what it was typed into. */
export interface Unsaved {
  /** The version that it was typed into. */
  etag: string;
  /** That version's text. */
  shown: string;
  /** What this person typed in that text. */
  own: Ranges;
  /** A save whose answer nobody heard, if there is one. */
  sent: Unheard | undefined;
  /** What was typed since, or all of it. */
  since: ChangeSet;
}

/** A save that was sent: sent again it has to be the same one. */
interface Unheard {
  changes: ChangeSet;
  /** When it was sent first, in milliseconds since 1970. */
  at: number;
  /** Whether the server was to put it together with what others wrote. */
  merge: boolean;
}

interface Kept {
  etag: string;
  own?: Ranges;
  sent?: { changes: unknown; at: number; merge: boolean } | undefined;
  since: unknown;
  /** When, in milliseconds since 1970. */
  at: number;
}

const PREFIX = "scribe.unsaved.";
const SHOWN = ".shown";
/** Where a browser does not tell which tabs are open: one that has kept nothing for so long is not typing now. */
const QUIET = 5_000;

function remove(key: string): void {
  shared.remove(key);
  shared.remove(key + SHOWN);
}

function read(key: string): (Unsaved & { at: number }) | undefined {
  try {
    const kept = JSON.parse(shared.get(key) ?? "null") as Kept | null;
    const shown = shared.get(key + SHOWN);
    if (!kept || shown === null) return undefined;
    const sent = kept.sent ? { ...kept.sent, changes: ChangeSet.fromJSON(kept.sent.changes) } : undefined;
    const since = ChangeSet.fromJSON(kept.since);
    const isSentOfShown = !sent || sent.changes.length === shown.length;
    const fits = isSentOfShown && since.length === (sent?.changes.newLength ?? shown.length);
    return fits ? { etag: kept.etag, shown, own: kept.own ?? [], sent, since, at: kept.at } : undefined;
  } catch {
    return undefined;
  }
}

/** One document's place in this tab's store. */
export class Drafts {
  private readonly key: string;
  private keptShown: string | undefined;

  constructor(private readonly assetId: string) {
    this.key = `${PREFIX}${assetId}.${thisTab}`;
  }

  /** Answers whether it outlasts the page. */
  keep({ etag, shown, own, sent, since }: Unsaved): boolean {
    const unheard = sent && { ...sent, changes: sent.changes.toJSON() as unknown };
    const kept: Kept = { etag, own, sent: unheard, since: since.toJSON(), at: Date.now() };
    if (this.keptShown !== shown) {
      // Changes beside another text than their own would be taken for what they are not.
      shared.remove(this.key);
      // Where there is no room for both the text is still in the editor, and is saved to the server in a second.
      if (!shared.set(this.key + SHOWN, shown)) return false;
      this.keptShown = shown;
    }
    return shared.set(this.key, JSON.stringify(kept));
  }

  forget(): void {
    remove(this.key);
    this.keptShown = undefined;
  }

  /** Takes what this tab had kept, or one that is closed. */
  take(open: ReadonlySet<string> | undefined): Unsaved | undefined {
    const own = read(this.key);
    if (own) return own;
    const prefix = `${PREFIX}${this.assetId}.`;
    const keys = shared.keys(prefix).filter((key) => !key.endsWith(SHOWN));
    for (const key of keys) {
      const unsaved = read(key);
      if (open ? open.has(key.slice(prefix.length)) : unsaved && Date.now() - unsaved.at < QUIET) continue;
      remove(key);
      if (unsaved) {
        this.keep(unsaved);
        return unsaved;
      }
    }
    return undefined;
  }
}
