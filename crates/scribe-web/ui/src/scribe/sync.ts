// A document in an editor, kept the same as the server's while both change it.
//
// `shown` is the text that what stands in the editor was made of; `local` leads from it to what stands there, and each
// version of the server's that has arrived since has `hidden`, which leads from it to that version. What others wrote is
// put into the editor moved past what the person has typed, so the caret stays where it is. While the person types in a
// block, nothing is put into that block: the version stays hidden, and saves carry it along.
//
// Only this page knows which letters were typed here, and where. So it puts both texts together itself and asks the
// server to refuse the save if somebody was faster. Where both changed the same words, the server decides.
//
// A save whose answer nobody heard may have been done. It is sent again as it was before anything else happens: the
// server knows it for the same one. Put together here with what the server has, its text would stand twice.

import { ChangeSet, Text } from "@codemirror/state";
import type { EditorView, ViewUpdate } from "@codemirror/view";

import { api, ask, Failure, type MediaAsset, type MergeView } from "../api/client";
import { apart, blockAround, touches } from "./changes";
import { changesBetween } from "./difference";
import { Drafts } from "./drafts";
import { byOthers, inPlace } from "./inPlace";
import { after, type Ranges } from "./own";

export type SaveState =
  | { kind: "saved" }
  | { kind: "unsaved" }
  | { kind: "saving" }
  | { kind: "offline"; kept: boolean }
  | { kind: "failed"; why: string; again: boolean };

/** A version of the server's. */
interface Version {
  etag: string;
  text: string;
  /** From `shown` to its text. */
  hidden: ChangeSet;
}

/** What is to be saved. */
interface Proposal {
  base: Version;
  /** From that text to what is to be saved. */
  changes: ChangeSet;
  /** From what stands in the editor to it: what others wrote and is not shown yet. */
  hidden: ChangeSet;
  /** Whether the server is to put it together with what others wrote. */
  merge: boolean;
}

interface Sent extends Proposal {
  content: string | undefined;
  title: string | undefined;
  /** When it was sent first. */
  at: number;
  /** What stood in the editor then. */
  doc: Text;
  /** From what was shown to that. */
  typed: ChangeSet;
  /** What was typed since. */
  since: ChangeSet;
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
const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 15_000;
/** So many versions are remembered while somebody types. */
const MOST_VERSIONS = 20;
/** The server knows a save for one that it has done at least so long, in milliseconds. */
const LONGEST_MEMORY = 20_000;
/** Whose saves are overtaken so often in a row lets the server put the texts together. */
const MOST_REFUSED = 8;
/** What has not come by then does not come. */
const LONGEST_ANSWER = 30_000;

/** As an editor has it: it knows one kind of line break. */
const lines = (text: string) => text.replace(/\r\n?/g, "\n");

/** See above. */
export class SyncedDocument {
  private view: EditorView | undefined;
  /** What stands in the editor, or stood there when it was closed. */
  doc: Text;
  private shown: string;
  /** The server's versions since, oldest first; the first may be `shown` itself. Never empty. */
  private versions: Version[];
  /** From `shown` to what stands in the editor. */
  private local: ChangeSet;
  /** What this person typed in `shown`, as far as it is known. */
  private own: Ranges = [];
  /** A save that was sent, and nobody has heard the answer. */
  private sent: Sent | undefined;
  private lastTyped = 0;
  private unsavedSince = 0;
  private timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** One request at a time: what is read while something is being saved may be older than the save. */
  private busy = false;
  private wanted = { save: false, read: false };
  private retry = FIRST_RETRY;
  /** Whether what is not saved outlasts the page. */
  private kept = true;
  /** How often in a row somebody was faster. */
  private refused = 0;
  private stopped = false;
  private readonly attached = new Set<() => void>();
  private titleToSave: string | undefined;

  private readonly drafts: Drafts;
  readonly wasRestored: boolean;

  constructor(
    readonly assetId: string,
    asset: MediaAsset,
    etag: string,
    private readonly listener: SyncListener,
    openTabs?: ReadonlySet<string>,
  ) {
    this.drafts = new Drafts(assetId);
    const kept = this.drafts.take(openTabs);
    this.shown = kept?.shown ?? lines(asset.content);
    const shown = Text.of(this.shown.split("\n"));
    this.versions = [{ etag: kept?.etag ?? etag, text: this.shown, hidden: ChangeSet.empty(shown.length) }];
    this.local = kept ? (kept.sent?.changes.compose(kept.since) ?? kept.since) : ChangeSet.empty(shown.length);
    this.own = kept?.own ?? [];
    this.doc = this.local.apply(shown);
    this.wasRestored = !this.local.empty;
    if (kept?.sent) {
      const { changes, at, merge } = kept.sent;
      const doc = changes.apply(shown);
      this.sent = {
        base: this.newest,
        changes,
        content: doc.toString(),
        title: undefined,
        at,
        doc,
        typed: changes,
        since: kept.since,
        hidden: ChangeSet.empty(doc.length),
        merge,
      };
    } else if (kept) {
      this.came(asset, etag);
    }
  }

  attach(view: EditorView): void {
    this.view = view;
    for (const tell of this.attached) tell();
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
    if (update.selectionSet && !this.newest.hidden.empty) this.later("settle", 50, () => this.settle());
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
    // Another request may be under way, and the page about to close.
    this.keep();
    this.wanted.save = true;
    void this.work();
  }

  saveTitle(title: string): void {
    this.titleToSave = title;
    this.saveNow();
  }

  /** A version that another request brought: a restored one, or one with an accepted suggestion. */
  take(asset: MediaAsset, etag: string): void {
    this.came(asset, etag);
    this.listener.arrived(asset);
    this.settle();
  }

  get hasUnsaved(): boolean {
    return !this.local.empty;
  }

  /** Whether something is not saved that would go with the page. */
  get wouldBeLost(): boolean {
    return this.hasUnsaved && !this.kept;
  }

  get editor(): EditorView | undefined {
    return this.view;
  }

  /** Calls back whenever an editor shows the document. Gives what ends that. */
  whenAttached(tell: () => void): () => void {
    this.attached.add(tell);
    return () => this.attached.delete(tell);
  }

  /** The text of a version, where the editor shows all of it. */
  textOf(etag: string): string | undefined {
    return this.newest.etag === etag && this.newest.hidden.empty ? this.shown : undefined;
  }

  /** Where a line of the text that is shown ends in the editor; the first line is 1. */
  endOf(line: number): number | undefined {
    if (line === 0) return 0;
    let end = -1;
    for (let nth = 0; nth < line; nth++) {
      if (end === this.shown.length) return undefined;
      end = this.shown.indexOf("\n", end + 1);
      if (end === -1) end = this.shown.length;
    }
    return this.doc.lineAt(this.local.mapPos(end, -1)).to;
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

  private get newest(): Version {
    return this.versions.at(-1) as Version;
  }

  /** Notes a version of the server's. */
  private came(asset: MediaAsset, etag: string): void {
    const text = lines(asset.content);
    const { newest, own } = this;
    const written = changesBetween(newest.text, text, after(own, newest.hidden, false));
    if (written.empty) this.versions.pop();
    else if (this.versions.length >= MOST_VERSIONS) this.versions.splice(1, 1);
    this.versions.push({ etag, text, hidden: newest.hidden.compose(written) });
  }

  /** What was typed, as changes of the newest version in which others have not changed the same words. */
  private proposal(): Proposal {
    const { shown, local, own, newest } = this;
    for (const version of this.versions.toReversed()) {
      const both = apart(local, version.hidden, shown, own);
      if (both) return { base: version, changes: both.local, hidden: both.theirs, merge: version !== newest };
    }
    return { base: newest, changes: local.map(newest.hidden, true), hidden: newest.hidden.map(local), merge: true };
  }

  private keep(): void {
    this.kept = true;
    if (this.local.empty) {
      this.drafts.forget();
    } else if (this.sent) {
      const { base, changes, since, hidden, at, merge } = this.sent;
      const own = after(this.own, base.hidden, false);
      this.kept = this.drafts.keep({ etag: base.etag, shown: base.text, own, sent: { changes, at, merge }, since: since.map(hidden, true) });
    } else {
      const { base, changes } = this.proposal();
      const own = after(this.own, base.hidden, false);
      this.kept = this.drafts.keep({ etag: base.etag, shown: base.text, own, sent: undefined, since: changes });
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
      this.retry = FIRST_RETRY;
    } catch (error) {
      this.failed(error);
    } finally {
      this.busy = false;
    }
  }

  private failed(error: unknown): void {
    if (this.stopped) return;
    const known = error instanceof Failure ? error : undefined;
    // What is refused is refused again, unless it was only too early.
    const isRefused = known !== undefined && known.status >= 400 && known.status < 500;
    const again = !isRefused || [408, 409, 425, 429].includes(known.status);
    // Only a refusal of the words themselves says that they were not saved when they were sent before.
    if (isRefused && [400, 413, 422].includes(known.status)) this.sent = undefined;
    const owed = this.hasUnsaved || this.titleToSave !== undefined;
    if (owed) {
      this.keep();
      const why = known?.message ?? String(error);
      this.listener.saveState(known?.isOffline ? { kind: "offline", kept: this.kept } : { kind: "failed", why, again });
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
    // A page that is closed now does not hear whether it was done; opened again, it has to ask with the same words.
    this.keep();
    const { base, content, title } = sent;
    // By now the server may have forgotten whether it has done this, and what stands there may be these very words.
    const merge = sent.merge || Date.now() - sent.at > LONGEST_MEMORY;
    // Why it was not saved stays to be read while it is tried again.
    if (this.retry === FIRST_RETRY) this.listener.saveState({ kind: "saving" });
    try {
      const { data, response } = await ask(
        api.PUT("/api/media-assets/{id}", {
          params: { path: { id: this.assetId }, header: { "if-match": base.etag } },
          body: { ...(content === undefined ? {} : { content }), ...(title === undefined ? {} : { title }), merge },
          // A page that is being closed still gets its last words out; browsers take 64 KiB of these.
          keepalive: (content?.length ?? 0) < 30_000,
          signal: AbortSignal.timeout(LONGEST_ANSWER),
        }),
      );
      this.sent = undefined;
      this.own = after(this.own, sent.typed, true);
      this.shown = sent.doc.toString();
      this.local = sent.since;
      this.refused = 0;
      this.versions = [{ etag: "", text: content ?? base.text, hidden: sent.hidden }];
      this.came(data.asset, response.headers.get("etag") ?? base.etag);
      // What was sent is a version only where it became one.
      this.versions = [this.newest];
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
      // Somebody was faster, or the version is not known any more: what stands there now is the base.
      this.sent = undefined;
      this.refused++;
      await this.read(true);
      this.wanted.save = true;
    }
  }

  private toSend(): Sent | undefined {
    const title = this.titleToSave;
    if (this.local.empty && title === undefined) return undefined;
    const proposal = this.proposal();
    const { base, changes } = proposal;
    const { doc } = this;
    return {
      ...proposal,
      merge: proposal.merge || this.refused >= MOST_REFUSED,
      content: this.local.empty ? undefined : changes.apply(Text.of(base.text.split("\n"))).toString(),
      title,
      at: Date.now(),
      doc,
      typed: this.local,
      since: ChangeSet.empty(doc.length),
    };
  }

  private async read(always = false): Promise<void> {
    const known = this.newest.etag;
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
    this.came(data.asset, response.headers.get("etag") ?? known);
    this.listener.arrived(data.asset);
    this.settle();
  }

  /** Puts what has arrived into the editor, unless the person is typing where it belongs. */
  private settle(): void {
    const { view, newest } = this;
    if (this.sent) return;
    const { base, changes, hidden: put } = this.proposal();
    if (base.etag !== newest.etag) {
      // A save decides.
      this.saveSoon();
      return;
    }
    if (view && !put.empty) {
      const caret = view.state.selection.main;
      const block = blockAround(view.state.doc, caret.head);
      const isTyping = view.hasFocus && Date.now() - this.lastTyped < TYPING;
      if (isTyping && touches(put, block)) {
        this.later("settle", TYPING, () => this.settle());
        return;
      }
    }
    this.own = after(this.own, newest.hidden, false);
    this.local = changes;
    this.shown = newest.text;
    this.versions = [{ ...newest, hidden: ChangeSet.empty(newest.text.length) }];
    if (!view) {
      this.doc = put.apply(this.doc);
    } else if (!put.empty) {
      inPlace(view, put);
    }
    this.keep();
    if (this.hasUnsaved) this.saveSoon();
  }
}
