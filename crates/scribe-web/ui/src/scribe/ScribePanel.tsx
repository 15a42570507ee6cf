import { DropdownMenu, Switch, Tabs } from "radix-ui";
import { lazy, Suspense, useDeferredValue, useState } from "react";

import { api, ask, type MediaAsset, type StyleChoice, type Suggestion } from "../api/client";
import type { ChatMessage } from "../chat/transcript";
import { Button, Note } from "../parts/Controls";
import { Markdown } from "../parts/Markdown";
import { shortened, texts } from "../texts";
import { Drafts, pieces } from "./Drafts";
import { Failed } from "./Failed";
import { History } from "./History";
import { failed } from "./live";
import { Start, StyleSelect } from "./Start";
import { StatusLine } from "./StatusLine";
import { keyOf, Suggestions } from "./Suggestions";
import type { SaveState } from "./sync";
import { Title } from "./Title";
import { useBeside } from "./useBeside";
import type { Scribe } from "./useScribe";

/** Until then a dialog has closed and given the focus back, in milliseconds. */
const FOCUS = 150;

const Editor = lazy(() => import("./Editor"));

function saveWords(state: SaveState): string {
  switch (state.kind) {
    case "saved":
      return texts.saved;
    case "saving":
      return texts.saving;
    case "unsaved":
      return texts.unsaved;
    case "offline":
      return state.kept ? texts.unsavedOffline : texts.unsavedFull;
    case "failed":
      return texts.saveFailed(state.why, state.again);
  }
}

/** The first words of what a turn asked. */
function questions(messages: ChatMessage[]): (messageId: string) => string {
  return (messageId) => {
    const said = messages.find((message) => message.id === messageId)?.content.split("\n")[0] ?? "";
    return shortened(said, 60);
  };
}

export function ScribePanel({
  conversationId,
  scribe,
  messages,
  onOpen,
}: {
  conversationId: string;
  scribe: Scribe;
  messages: ChatMessage[];
  onOpen: (conversationId: string) => void;
}) {
  const { live, asset, assetId, sync, saveState, notice, error } = scribe;
  const [view, setView] = useState("write");
  const [style, setStyle] = useState<StyleChoice>();
  // What stands in the editor, saved or not.
  const written = () => sync?.doc.toString() ?? asset?.content ?? "";
  const content = useDeferredValue(view === "read" || saveState.kind === "saved" ? written() : (asset?.content ?? ""));
  const question = questions(messages);
  const [suggestions, setSuggestions] = useState<Suggestion[]>([]);
  const drafts = pieces(live.drafts.values());
  const wanted = suggestions.map((suggestion) => ({ key: keyOf(suggestion), action: suggestion.action, block: suggestion.block }));
  const beside = useBeside(sync, asset?.id, asset?.updated_at, [...wanted, ...drafts.map(({ key, action, block }) => ({ key, action, block }))]);
  const hosts = view === "write" ? beside : new Map<string, HTMLElement>();
  const isOn = live.status?.scribeEnabled ?? false;

  const toggle = async (scribeEnabled: boolean) => {
    scribe.fail(undefined);
    try {
      await ask(api.POST("/api/chat/background-doc/toggle", { body: { conversationId, scribeEnabled } }));
    } catch (failed) {
      scribe.fail(failed);
    }
  };
  const restyle = async (wanted: StyleChoice) => {
    setStyle(wanted);
    scribe.fail(undefined);
    try {
      await ask(api.POST("/api/chat/background-doc/settings", { body: { conversationId, style: wanted } }));
    } catch (failed) {
      setStyle(undefined);
      scribe.fail(failed);
    }
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(written());
      scribe.tell(texts.copied);
    } catch {
      scribe.tell(texts.copyFailed);
    }
  };
  const download = () => {
    const address = URL.createObjectURL(new Blob([written()], { type: "text/markdown" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = `${asset?.metadata.slug || "document"}.md`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  };
  const bringBack = async () => {
    if (!assetId) return;
    const path = { id: assetId };
    try {
      const { data } = await ask(api.GET("/api/media-assets/{id}/versions", { params: { path } }));
      const last = data.versions.find((version) => !version.deleted);
      if (!last) throw new Error(texts.nothingToBringBack);
      await ask(api.POST("/api/media-assets/{id}/restore", { params: { path }, body: { versionId: last.versionId } }));
      // Its conversations have ended.
      const next = crypto.randomUUID();
      await ask(api.POST("/api/media-assets/{id}/conversations", { params: { path }, body: { conversationId: next } }));
      onOpen(next);
    } catch (failed) {
      scribe.fail(failed);
    }
  };
  // The button that had the focus may have gone, and the dialog with it.
  const focus = () => {
    setTimeout(() => {
      if (document.activeElement === document.body) sync?.editor?.focus();
    }, FOCUS);
  };
  const decided = (changed: MediaAsset, etag: string) => {
    sync?.take(changed, etag);
    focus();
  };
  // Whatever is beside the document is read anew with each version.
  const version = `${live.versions}.${asset?.updated_at ?? ""}`;

  return (
    <section className="panel scribe" aria-label={texts.scribe}>
      <header className="scribe-head">
        <StatusLine live={live} question={question} />
        {live.session && (
          <label className="switch-label">
            <span className="long">{texts.scribeSwitch}</span>
            <span className="short">{texts.scribeSwitchShort}</span>
            <Switch.Root className="switch" aria-label={texts.scribeSwitch} checked={isOn} onCheckedChange={(on) => void toggle(on)}>
              <Switch.Thumb className="thumb" />
            </Switch.Root>
          </label>
        )}
      </header>
      {!live.session && live.connection === "absent" && !live.gone && (
        <Start conversationId={conversationId} messages={messages} onStarted={scribe.lookAgain} />
      )}
      {!asset && live.connection === "lost" && <p className="hint">{texts.offlineNoDocument}</p>}
      {assetId && live.gone && (
        <Note kind="error">
          {asset ? texts.deletedHint : texts.deletedBefore} <Button onClick={() => void bringBack()}>{texts.bringBack}</Button>
        </Note>
      )}
      {asset && sync && (
        <>
          <Title
            title={asset.title}
            isReadOnly={live.gone}
            refused={saveState.kind === "failed" && !saveState.again}
            onChange={(title) => sync.saveTitle(title)}
            onTold={scribe.tell}
          />
          <Tabs.Root className="views" value={view} onValueChange={setView}>
            <div className="bar">
              <Tabs.List className="tabs" aria-label={texts.view}>
                <Tabs.Trigger value="write">{texts.write}</Tabs.Trigger>
                <Tabs.Trigger value="read">{texts.read}</Tabs.Trigger>
                <Tabs.Trigger value="history">{texts.history}</Tabs.Trigger>
              </Tabs.List>
              {!live.gone && (
                <label className="inline">
                  <span className="hint">{texts.style}</span>
                  <StyleSelect value={style ?? asset.metadata.style} onChange={(wanted) => void restyle(wanted)} />
                </label>
              )}
              <DropdownMenu.Root modal={false}>
                <DropdownMenu.Trigger asChild>
                  <Button look="quiet">{texts.more}</Button>
                </DropdownMenu.Trigger>
                  <DropdownMenu.Content className="menu" align="end" sideOffset={4}>
                    <DropdownMenu.Item className="menu-item" onSelect={() => sync.hurry()}>
                      {texts.refresh}
                    </DropdownMenu.Item>
                    <DropdownMenu.Item className="menu-item" onSelect={() => void copy()}>
                      {texts.copy}
                    </DropdownMenu.Item>
                    <DropdownMenu.Item className="menu-item" onSelect={download}>
                      {texts.download}
                    </DropdownMenu.Item>
                  </DropdownMenu.Content>
              </DropdownMenu.Root>
            </div>
            <Tabs.Content value="write" forceMount hidden={view !== "write"} className="view" tabIndex={-1}>
              <Suspense fallback={<div className="editor" />}>
                <Editor sync={sync} />
              </Suspense>
              <Drafts drafts={drafts} hosts={hosts} question={question} />
            </Tabs.Content>
            <Tabs.Content value="read" className="view reading">
              <Markdown text={content} />
            </Tabs.Content>
            <Tabs.Content value="history" className="view">
              <History
                assetId={asset.id}
                version={version}
                onRestored={(restored, etag) => {
                  sync.take(restored, etag);
                  scribe.tell(texts.restored);
                }}
              />
            </Tabs.Content>
          </Tabs.Root>
          <Failed conversationId={conversationId} turns={failed(live)} question={question} onError={scribe.fail} />
          <Suggestions
            assetId={asset.id}
            version={version}
            suggestions={suggestions}
            setSuggestions={setSuggestions}
            hosts={hosts}
            // What a save of this page's came to says more.
            onNew={() => notice ?? scribe.tell(texts.newSuggestion)}
            onDecided={decided}
            onClosed={focus}
            onError={scribe.fail}
          />
          <footer className="foot">
            <span className="save" role="status" data-save={saveState.kind}>
              {!live.gone && saveWords(saveState)}
            </span>
            {/* A token is counted as four bytes, as the scribe counts. */}
            <span>{texts.tokens(Math.ceil(new TextEncoder().encode(content).length / 4))}</span>
          </footer>
        </>
      )}
      <div className="notices">
        <p className="notice" role="status">
          {notice}
        </p>
        {error && (
          <div className="notice error">
            <p role="alert">{error}</p>
            <Button look="quiet" onClick={() => scribe.fail(undefined)}>
              {texts.close}
            </Button>
          </div>
        )}
      </div>
    </section>
  );
}
