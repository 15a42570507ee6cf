// A document in an editor, kept the same as the server's while both change it.
//
// Three texts: the one that the server had when it was shown last (`shown`), what stands in the editor, and what the
// server has now (`arrived`). What others wrote is put into the editor as changes, moved past what the person has typed
// since, so the caret stays where it is. While the person types in a block, nothing is put into that block: the version
// waits, and saves carry it along, put together with what was typed, though the editor does not show it yet.
//
// A save whose answer nobody heard may have been done. It is sent again as it was before anything else happens: the
// server knows it for the same one. Put together here with what the server has, its text would stand twice.

import { Annotation, ChangeSet, Text, Transaction } from "@codemirror/state";
import type { EditorView, ViewUpdate } from "@codemirror/view";

import { api, ask, Failure, type MediaAsset, type MergeView } from "../api/client";
import { apart, blockAround, changesBetween, touches } from "./changes";
import { Drafts } from "./drafts";

/** Marks what others wrote. */
export const byOthers = Annotation.define<boolean>();

export type SaveState =
  | { kind: "saved" }
  | { kind: "unsaved" }
  | { kind: "saving" }
  | { kind: "offline" }
  | { kind: "failed"; why: string; again: boolean };

interface Sent {
  /** The version that it is based on, and its text. */
  base: { etag: string; text: string };
  /** From that text to what was sent. */
  changes: ChangeSet;
  content: string | undefined;
  title: string | undefined;
  /** What stood in the editor then. */
  doc: Text;
  /** What was typed since. */
  since: ChangeSet;
  /** From what stood in the editor to what was sent: what others wrote and is not shown yet. */
  hidden: ChangeSet;
}

export interface SyncListener {
  saveState(state: SaveState): void;
  /** The document as the server has it now. */
  arrived(asset: MediaAsset): void;
  merged(merge: MergeView): void;
  gone(): void;
}

/** A save begins when nobody has typed for so long, in milliseconds. */
const PAUSE = 900;
/** Or when so long has passed since the last one. */
const LONGEST_PAUSE = 3_000;
const LONGEST_WORD = 3_000;
/** Who has typed so recently is still at it. */
const TYPING = 2_500;
const LONGEST_RETRY = 15_000;
/** What has not come by then does not come. */
const LONGEST_ANSWER = 30_000;

/** As an editor has it: it knows one kind of line break. */
const lines = (text: string) => text.replace(/\r\n?/g, "\n");

/** Puts changes in without moving what the person looks at: the caret's line if it is in sight, else the first line. */
function inPlace(view: EditorView, changes: ChangeSet): void {
  const scroller = view.scrollDOM;
  const top = (position: number) => view.lineBlockAt(position).top;
  const caret = view.state.selection.main.head;
  const first = view.lineBlockAtHeight(scroller.scrollTop).from;
  const isInSight = top(caret) >= scroller.scrollTop && top(caret) < scroller.scrollTop + scroller.clientHeight;
  const anchor = view.hasFocus && isInSight ? caret : first;
  const before = top(anchor) - scroller.scrollTop;
  view.dispatch({ changes, annotations: [byOthers.of(true), Transaction.addToHistory.of(false)] });
  const moved = changes.mapPos(anchor, 1);
  view.requestMeasure({
    key: scroller,
    read: () => top(moved) - scroller.scrollTop - before,
    write: (by) => {
      if (Math.abs(by) > 1) scroller.scrollTop += by;
    },
  });
}

/** See above. */
export class SyncedDocument {
  private view: EditorView | undefined;
  /** What stands in the editor, or stood there when it was closed. */
  doc: Text;
  private shown: string;
  /** The version that `shown` is, while nothing else has arrived. */
  private etag: string;
  /** From `shown` to what stands in the editor. */
  private local: ChangeSet;
  /** A save that was sent, and nobody has heard the answer. */
  private sent: Sent | undefined;
  private arrived: { etag: string; text: string } | undefined;
  private lastTyped = 0;
  private unsavedSince = 0;
  private timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** One request at a time: what is read while something is being saved may be older than the save. */
  private busy = false;
  private wanted = { save: false, read: false };
  private retry = 1_000;
  private stopped = false;
  private titleToSave: string | undefined;

  private readonly drafts: Drafts;
  readonly wasRestored: boolean;

  constructor(
    readonly assetId: string,
    asset: MediaAsset,
    etag: string,
    private readonly listener: SyncListener,
  ) {
    this.drafts = new Drafts(assetId);
    const kept = this.drafts.take();
    this.shown = kept?.shown ?? lines(asset.content);
    this.etag = kept?.etag ?? etag;
    const shown = Text.of(this.shown.split("\n"));
    this.local = kept ? (kept.sent?.compose(kept.since) ?? kept.since) : ChangeSet.empty(shown.length);
    this.doc = this.local.apply(shown);
    this.wasRestored = !this.local.empty;
    if (kept?.sent) {
      const doc = kept.sent.apply(shown);
      this.sent = {
        base: { etag: kept.etag, text: kept.shown },
        changes: kept.sent,
        content: doc.toString(),
        title: undefined,
        doc,
        since: kept.since,
        hidden: ChangeSet.empty(doc.length),
      };
    } else if (kept) {
      this.arrived = { etag, text: lines(asset.content) };
    }
  }

  attach(view: EditorView): void {
    this.view = view;
    this.settle();
    if (this.sent) this.saveNow();
    else if (!this.local.empty) this.saveSoon();
  }

  detach(view: EditorView): void {
    if (this.view === view) this.view = undefined;
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.view = undefined;
  }

  /** To be told of every change of the editor. */
  noticed(update: ViewUpdate): void {
    if (update.selectionSet && this.arrived) this.later("settle", 50, () => this.settle());
    if (!update.docChanged) return;
    this.doc = update.state.doc;
    for (const transaction of update.transactions) {
      if (!transaction.docChanged || transaction.annotation(byOthers)) continue;
      this.local = this.local.compose(transaction.changes);
      if (this.sent) this.sent.since = this.sent.since.compose(transaction.changes);
      this.lastTyped = Date.now();
      this.unsavedSince ||= this.lastTyped;
      this.listener.saveState({ kind: "unsaved" });
      this.later("keep", 250, () => this.keep());
      this.saveSoon();
    }
  }

  /** The server has, or may have, a newer version. */
  hurry(): void {
    this.wanted.read = true;
    void this.work();
  }

  /** Saves what is not saved yet, now. */
  saveNow(): void {
    if (this.local.empty && this.titleToSave === undefined && !this.sent) return;
    this.wanted.save = true;
    void this.work();
  }

  saveTitle(title: string): void {
    this.titleToSave = title;
    this.saveNow();
  }

  /** A version that another request brought: a restored one, or one with an accepted suggestion. */
  take(asset: MediaAsset, etag: string): void {
    this.arrived = { etag, text: lines(asset.content) };
    this.listener.arrived(asset);
    this.settle();
  }

  get hasUnsaved(): boolean {
    return !this.local.empty;
  }

  private later(name: string, ms: number, run: () => void): void {
    clearTimeout(this.timers.get(name));
    if (!this.stopped) this.timers.set(name, setTimeout(run, ms));
  }

  private saveSoon(): void {
    const waited = Date.now() - this.unsavedSince;
    // Behind a word, if one ends in time: half a word that is saved in front of another one would be a change of that
    // one, which others can't write beside.
    if (waited > LONGEST_PAUSE && this.isBehindWord()) {
      this.saveNow();
      return;
    }
    const left = LONGEST_PAUSE + LONGEST_WORD - waited;
    this.later("save", Math.max(0, Math.min(PAUSE, left)), () => this.saveNow());
  }

  private isBehindWord(): boolean {
    const caret = this.view?.state.selection.main.head ?? 0;
    return /\s/.test(this.doc.sliceString(caret - 1, caret));
  }

  /** The newest version of the server's, and what was typed as changes to it. */
  private mine(): { base: { etag: string; text: string }; changes: ChangeSet; hidden: ChangeSet } {
    const base = this.arrived ?? { etag: this.etag, text: this.shown };
    const { local, theirs } = apart(this.local, changesBetween(this.shown, base.text), this.shown);
    return { base, changes: local, hidden: theirs };
  }

  private keep(): void {
    if (this.local.empty) {
      this.drafts.forget();
    } else if (this.sent) {
      const { base, changes, since, hidden } = this.sent;
      this.drafts.keep({ etag: base.etag, shown: base.text, sent: changes, since: since.map(hidden, true) });
    } else {
      const { base, changes } = this.mine();
      this.drafts.keep({ etag: base.etag, shown: base.text, sent: undefined, since: changes });
    }
  }

  private async work(): Promise<void> {
    if (this.busy || this.stopped) return;
    this.busy = true;
    try {
      while (!this.stopped && (this.wanted.save || this.wanted.read)) {
        if (this.wanted.save || this.sent) {
          this.wanted.save = false;
          await this.save();
        } else {
          this.wanted.read = false;
          await this.read();
        }
      }
      this.retry = 1_000;
    } catch (error) {
      this.failed(error);
    } finally {
      this.busy = false;
    }
  }

  private failed(error: unknown): void {
    if (this.stopped) return;
    const known = error instanceof Failure ? error : undefined;
    // What is refused was not done, and is refused again unless it was only too early.
    const isRefused = known !== undefined && known.status >= 400 && known.status < 500;
    const again = !isRefused || [408, 409, 425, 429].includes(known.status);
    if (isRefused) this.sent = undefined;
    const owed = this.hasUnsaved || this.titleToSave !== undefined;
    if (owed) {
      this.keep();
      const why = known?.message ?? String(error);
      this.listener.saveState(known?.isOffline ? { kind: "offline" } : { kind: "failed", why, again });
    }
    if (known?.status === 404) {
      this.listener.gone();
      return;
    }
    if (!again) {
      // The next thing that is typed tries again.
      this.titleToSave = undefined;
      return;
    }
    this.wanted.save ||= owed;
    this.wanted.read = true;
    this.later("retry", this.retry, () => void this.work());
    this.retry = Math.min(LONGEST_RETRY, this.retry * 2);
  }

  private async save(): Promise<void> {
    this.sent ??= this.toSend();
    const sent = this.sent;
    if (!sent) return;
    const { base, content, title } = sent;
    this.listener.saveState({ kind: "saving" });
    try {
      const { data, response } = await ask(
        api.PUT("/api/media-assets/{id}", {
          params: { path: { id: this.assetId }, header: { "if-match": base.etag } },
          body: { ...(content === undefined ? {} : { content }), ...(title === undefined ? {} : { title }) },
          // A page that is being closed still gets its last words out; browsers take 64 KiB of these.
          keepalive: (content?.length ?? 0) < 30_000,
          signal: AbortSignal.timeout(LONGEST_ANSWER),
        }),
      );
      this.sent = undefined;
      this.shown = sent.doc.toString();
      this.local = sent.since;
      this.arrived = { etag: response.headers.get("etag") ?? base.etag, text: lines(data.asset.content) };
      if (this.titleToSave === title) this.titleToSave = undefined;
      this.unsavedSince = this.local.empty ? 0 : Date.now();
      this.keep();
      if (this.stopped) return;
      this.listener.arrived(data.asset);
      if (data.merge.othersWrote) this.listener.merged(data.merge);
      this.settle();
      this.listener.saveState({ kind: this.local.empty ? "saved" : "unsaved" });
    } catch (error) {
      if (!(error instanceof Failure) || error.status !== 412) throw error;
      // The version that this was based on is not known any more: what stands there now is the base.
      this.sent = undefined;
      await this.read(true);
      this.wanted.save = true;
    }
  }

  private toSend(): Sent | undefined {
    const title = this.titleToSave;
    if (this.local.empty && title === undefined) return undefined;
    const { base, changes, hidden } = this.mine();
    const { doc } = this;
    const content = this.local.empty ? undefined : changes.apply(Text.of(base.text.split("\n"))).toString();
    return {
      base,
      changes,
      content,
      title,
      doc,
      since: ChangeSet.empty(doc.length),
      hidden,
    };
  }

  private async read(always = false): Promise<void> {
    const known = this.arrived?.etag ?? this.etag;
    const { data, response } = await ask(
      api.GET("/api/media-assets/{id}", {
        params: { path: { id: this.assetId }, header: always ? {} : { "if-none-match": known } },
        cache: "no-store",
        signal: AbortSignal.timeout(LONGEST_ANSWER),
      }),
    ).catch((error: unknown) => {
      if (error instanceof Failure && error.status === 304) return { data: undefined, response: undefined };
      throw error;
    });
    if (!data || !response || this.stopped) return;
    this.arrived = { etag: response.headers.get("etag") ?? known, text: lines(data.asset.content) };
    this.listener.arrived(data.asset);
    this.settle();
  }

  /** Puts what has arrived into the editor, unless the person is typing where it belongs. */
  private settle(): void {
    const { view, arrived } = this;
    if (!arrived || this.sent) return;
    const { local, theirs: put } = apart(this.local, changesBetween(this.shown, arrived.text), this.shown);
    if (view && !put.empty) {
      const caret = view.state.selection.main;
      const block = blockAround(view.state.doc, caret.head);
      const isTyping = view.hasFocus && Date.now() - this.lastTyped < TYPING;
      if (isTyping && touches(put, block)) {
        this.later("settle", TYPING, () => this.settle());
        return;
      }
    }
    this.local = local;
    this.shown = arrived.text;
    this.etag = arrived.etag;
    this.arrived = undefined;
    if (!view) {
      this.doc = put.apply(this.doc);
    } else if (!put.empty) {
      inPlace(view, put);
    }
    this.keep();
    if (this.hasUnsaved) this.saveSoon();
  }
}
