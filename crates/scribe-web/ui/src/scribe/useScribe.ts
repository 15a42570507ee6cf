import { useCallback, useEffect, useReducer, useRef, useState } from "react";

import { api, ask, Failure, type MediaAsset, type MergeView } from "../api/client";
import { type Connection, follow, type ScribeEvent } from "../api/events";
import { shared } from "../parts/storage";
import { openTabs } from "../parts/tab";
import { texts } from "../texts";
import { connected, hear, type Live, nothing } from "./live";
import type { SaveState, SyncedDocument } from "./sync";

/** Under which a conversation's document is remembered. */
const DOCUMENT = "scribe.document.";
/** How long a notice stands, in milliseconds. */
const NOTICE = 9_000;

type Action = { event: ScribeEvent } | { connection: Connection } | "begin";

function reduce(live: Live, action: Action): Live {
  if (action === "begin") return nothing;
  return "event" in action ? hear(live, action.event) : connected(live, action.connection);
}

export interface Scribe {
  live: Live;
  asset: MediaAsset | undefined;
  /** The document's id, also where it was deleted before the page was opened. */
  assetId: string | undefined;
  sync: SyncedDocument | undefined;
  saveState: SaveState;
  /** Something the person is to know once. */
  notice: string | undefined;
  error: string | undefined;
  tell(notice: string | undefined): void;
  /** Something that the person wanted was not done; `undefined` takes the message away. */
  fail(error: unknown): void;
  /** Looks whether there is a scribe by now. */
  lookAgain(): void;
}

/** The scribe of a conversation, and its document. In one that is new there is none. */
export function useScribe(conversationId: string, isNew: boolean): Scribe {
  const [live, dispatch] = useReducer(reduce, nothing);
  const [asset, setAsset] = useState<MediaAsset>();
  const [sync, setSync] = useState<SyncedDocument>();
  const [saveState, setSaveState] = useState<SaveState>({ kind: "saved" });
  const [notice, setNotice] = useState<string>();
  const [error, setError] = useState<string>();
  const [gone, setGone] = useState(false);
  const [looks, setLooks] = useState(0);
  const lookAgain = useCallback(() => setLooks((looks) => looks + 1), []);

  useEffect(() => {
    dispatch("begin");
    if (isNew && looks === 0) {
      dispatch({ connection: "absent" });
      return undefined;
    }
    return follow(
      conversationId,
      (event) => dispatch({ event }),
      (connection) => dispatch({ connection }),
    );
  }, [conversationId, isNew, looks]);

  // A document that was deleted stays to be read, and to be brought back.
  const [assetId, setAssetId] = useState<string>();
  const present = live.session?.textAssetId;
  useEffect(() => {
    if (!present) return;
    setAssetId(present);
    shared.set(DOCUMENT + conversationId, present);
  }, [conversationId, present]);

  // A conversation whose document was deleted is gone for the server, as if it had never been.
  const [deleted, setDeleted] = useState<string>();
  const isAbsent = live.connection === "absent" && !present;
  useEffect(() => {
    const known = shared.get(DOCUMENT + conversationId);
    if (!isAbsent || !known) return undefined;
    let left = false;
    ask(api.GET("/api/media-assets/{id}/versions", { params: { path: { id: known } } }))
      .then(({ data }) => {
        if (!left && data.versions[0]?.deleted) setDeleted(known);
      })
      // Gone for good, or not to be had now: then this is a conversation like any other.
      .catch(() => undefined);
    return () => {
      left = true;
      setDeleted(undefined);
    };
  }, [conversationId, isAbsent]);
  const opened = useRef<SyncedDocument>(undefined);

  useEffect(() => {
    if (!assetId) return;
    let left = false;
    const merged = (merge: MergeView) => {
      const count = merge.suggestions.length;
      if (count > 0) setNotice(texts.mergedWithSuggestions(count));
    };
    const open = async () => {
      // The editor is most of the page, and comes when there is something to edit.
      const [{ data, response }, sync] = await Promise.all([
        ask(api.GET("/api/media-assets/{id}", { params: { path: { id: assetId } }, cache: "no-store" })),
        import("./sync"),
      ]);
      const tabs = await openTabs();
      if (left) return;
      const listener = { saveState: setSaveState, arrived: setAsset, merged, gone: () => setGone(true) };
      const document = new sync.SyncedDocument(assetId, data.asset, response.headers.get("etag") ?? "", listener, tabs);
      opened.current = document;
      setAsset(data.asset);
      setSync(document);
      setError(undefined);
      setSaveState({ kind: "saved" });
      if (document.wasRestored) setNotice(texts.draftRestored);
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const attempt = () => {
      open().catch((failed: unknown) => {
        if (left) return;
        setError(failed instanceof Error ? failed.message : String(failed));
        if (failed instanceof Failure && (failed.isOffline || failed.status >= 500)) timer = setTimeout(attempt, 2_000);
      });
    };
    attempt();
    return () => {
      left = true;
      clearTimeout(timer);
      opened.current?.stop();
      opened.current = undefined;
      setSync(undefined);
      setAsset(undefined);
    };
  }, [assetId]);

  useEffect(() => {
    opened.current?.hurry();
  }, [live.versions]);

  // Without events a version may be missed; who comes back to the page, or online, sees what is there now.
  useEffect(() => {
    const hurry = () => opened.current?.hurry();
    const leave = () => {
      if (document.visibilityState === "hidden") opened.current?.saveNow();
      else hurry();
    };
    const hold = (event: BeforeUnloadEvent) => opened.current?.wouldBeLost && event.preventDefault();
    window.addEventListener("online", hurry);
    window.addEventListener("beforeunload", hold);
    document.addEventListener("visibilitychange", leave);
    return () => {
      window.removeEventListener("beforeunload", hold);
      window.removeEventListener("online", hurry);
      document.removeEventListener("visibilitychange", leave);
    };
  }, []);

  // The spec's polling, while events do not come.
  const isLost = live.connection === "lost" || live.connection === "polling" || live.degraded;
  useEffect(() => {
    if (!isLost) return;
    const timer = setInterval(() => opened.current?.hurry(), 3_000);
    return () => clearInterval(timer);
  }, [isLost]);

  useEffect(() => {
    if (!notice) return;
    const timer = setTimeout(() => setNotice(undefined), NOTICE);
    return () => clearTimeout(timer);
  }, [notice]);
  const fail = useCallback((failed: unknown) => {
    if (failed === undefined) setError(undefined);
    else setError(failed instanceof Error ? failed.message : String(failed));
  }, []);
  const isGone = gone || deleted !== undefined;
  return { live: isGone && !live.gone ? { ...live, gone: true } : live, asset, assetId: assetId ?? deleted, sync, saveState, notice, error, tell: setNotice, fail, lookAgain };
}
