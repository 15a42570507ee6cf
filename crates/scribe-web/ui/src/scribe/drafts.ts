// What was typed and is not saved yet, kept in the browser: it survives a reload and a lost connection.
//
// The text that was shown is kept once, and what was typed since as changes to it, so that a key pressed in a long
// document costs no copy of the document.

import { ChangeSet } from "@codemirror/state";

/** What was typed, with what it was typed into. */
export interface Unsaved {
  /** The version that the next save is based on. */
  etag: string;
  /** The text of the server's that was shown. */
  shown: string;
  changes: ChangeSet;
}

interface Kept {
  etag: string;
  changes: unknown;
  /** When, in milliseconds since 1970. */
  at: number;
}

const PREFIX = "scribe.unsaved.";
const SHOWN = ".shown";
/** A tab that has kept nothing for so long is not typing now. */
const QUIET = 5_000;

/** This tab, as long as it is open; a reload is the same one. */
function tab(): string {
  let name = sessionStorage.getItem("scribe.tab");
  if (!name) {
    name = crypto.randomUUID();
    sessionStorage.setItem("scribe.tab", name);
  }
  return name;
}

function remove(key: string): void {
  localStorage.removeItem(key);
  localStorage.removeItem(key + SHOWN);
}

function read(key: string): (Unsaved & { at: number }) | undefined {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "null") as Kept | null;
    const shown = localStorage.getItem(key + SHOWN);
    if (!kept || shown === null) return undefined;
    const changes = ChangeSet.fromJSON(kept.changes);
    return changes.length === shown.length ? { etag: kept.etag, shown, changes, at: kept.at } : undefined;
  } catch {
    return undefined;
  }
}

/** One document's place in this tab's store. */
export class Drafts {
  private readonly key: string;
  private keptShown: string | undefined;

  constructor(private readonly assetId: string) {
    this.key = `${PREFIX}${assetId}.${tab()}`;
  }

  keep({ etag, shown, changes }: Unsaved): void {
    try {
      // The changes first: with another text beside them they fit no more, and are not taken for what they are not.
      localStorage.setItem(this.key, JSON.stringify({ etag, changes: changes.toJSON(), at: Date.now() } satisfies Kept));
      if (this.keptShown !== shown) localStorage.setItem(this.key + SHOWN, shown);
      this.keptShown = shown;
    } catch {
      // No room: the text is still in the editor, and is saved to the server in a second.
      this.keptShown = undefined;
    }
  }

  forget(): void {
    remove(this.key);
    this.keptShown = undefined;
  }

  /** Takes what this tab had kept, or one that is closed. */
  take(): Unsaved | undefined {
    const own = read(this.key);
    if (own) return own;
    const prefix = `${PREFIX}${this.assetId}.`;
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(prefix) && !key.endsWith(SHOWN));
    for (const key of keys) {
      const unsaved = read(key);
      if (unsaved && Date.now() - unsaved.at < QUIET) continue;
      remove(key);
      if (unsaved) {
        this.keep(unsaved);
        return unsaved;
      }
    }
    return undefined;
  }
}
