import { Tabs } from "radix-ui";
import { type FormEvent, useEffect, useState } from "react";

import { onUnauthorized, useToken } from "./api/client";
import { ChatPanel } from "./chat/ChatPanel";
import { useChat } from "./chat/useChat";
import { Button, Modal } from "./parts/Controls";
import { shared } from "./parts/storage";
import { ScribePanel } from "./scribe/ScribePanel";
import { useScribe } from "./scribe/useScribe";
import { Shelf } from "./shelf/Shelf";
import { texts } from "./texts";

const LAST = "scribe.last";
const PARAMETER = "conversation";
/** What the API takes for an id. */
const ID = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,128}$/;

/** Conversations that began in this tab. Nobody else knows them, so there is no scribe to look for. */
const begun = new Set<string>();

function begin(): string {
  const id = crypto.randomUUID();
  begun.add(id);
  return id;
}

/** The conversation that the address names, else the last one, else a new one. */
function conversationOfAddress(): string {
  const named = [new URLSearchParams(location.search).get(PARAMETER), shared.get(LAST)];
  return named.find((id) => id && ID.test(id)) ?? begin();
}

function useConversation(): [string, (id: string) => void] {
  const [id, setId] = useState(conversationOfAddress);
  useEffect(() => {
    shared.set(LAST, id);
    const address = `?${new URLSearchParams({ [PARAMETER]: id })}`;
    if (location.search !== address) history.pushState(null, "", address);
  }, [id]);
  useEffect(() => {
    const back = () => setId(conversationOfAddress());
    window.addEventListener("popstate", back);
    return () => window.removeEventListener("popstate", back);
  }, []);
  return [id, setId];
}

/** Whether chat and document fit beside each other. */
function useWide(): boolean {
  const [query] = useState(() => window.matchMedia("(min-width: 60rem)"));
  const [wide, setWide] = useState(query.matches);
  useEffect(() => {
    const changed = () => setWide(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, [query]);
  return wide;
}

function Conversation({ id, onOpen }: { id: string; onOpen: (id: string) => void }) {
  const scribe = useScribe(id, begun.has(id));
  const chat = useChat(id, () => {
    if (scribe.live.connection === "absent") scribe.lookAgain();
  });
  const title = scribe.asset?.title;
  useEffect(() => {
    document.title = title ? `${title} · ${texts.product}` : texts.product;
  }, [title]);
  const wide = useWide();
  const [tab, setTab] = useState("chat");
  // One tree for both, or what is being written would be gone when the window is made narrower.
  const panel = (name: string) => ({
    value: name,
    className: "fill",
    forceMount: true as const,
    hidden: !wide && tab !== name,
    tabIndex: -1,
    ...(wide ? { role: "presentation" } : {}),
  });
  return (
    <Tabs.Root className={wide ? "beside" : "stacked"} value={tab} onValueChange={setTab}>
      <Tabs.List className="tabs main-tabs" aria-label={texts.panels} hidden={wide}>
        <Tabs.Trigger value="chat">{texts.chat}</Tabs.Trigger>
        <Tabs.Trigger value="scribe">{texts.scribe}</Tabs.Trigger>
      </Tabs.List>
      <Tabs.Content {...panel("chat")}>
        <ChatPanel conversationId={id} chat={chat} isKnown={(scribe.live.status?.messageCount ?? 0) > 0} />
      </Tabs.Content>
      <Tabs.Content {...panel("scribe")}>
        <ScribePanel conversationId={id} scribe={scribe} messages={chat.messages} onOpen={onOpen} />
      </Tabs.Content>
    </Tabs.Root>
  );
}

function TokenDialog() {
  const [wanted, setWanted] = useState(false);
  const [value, setValue] = useState("");
  useEffect(() => onUnauthorized(() => setWanted(true)), []);
  const use = (event: FormEvent) => {
    event.preventDefault();
    if (value.trim() === "") return;
    useToken(value);
    location.reload();
  };
  return (
    <Modal open={wanted} title={texts.tokenTitle} hint={texts.tokenHint} onClose={() => setWanted(false)}>
      <form className="start" onSubmit={use}>
        <label className="field">
          {texts.token}
          <input type="password" autoComplete="off" value={value} onChange={(event) => setValue(event.target.value)} />
        </label>
        <Button type="submit" look="strong">
          {texts.tokenUse}
        </Button>
      </form>
    </Modal>
  );
}

export function App() {
  const [id, setId] = useConversation();
  const [shelf, setShelf] = useState(false);
  return (
    <>
      <a className="skip" href="#conversation">
        {texts.skip}
      </a>
      <header className="head">
        <h1>{texts.product}</h1>
        <nav className="row" aria-label={texts.product}>
          <Button look="quiet" onClick={() => setShelf(true)}>
            {texts.documents}
          </Button>
          <Button aria-label={texts.newConversation} onClick={() => setId(begin())}>
            <span className="long">{texts.newConversation}</span>
            <span className="short">{texts.newShort}</span>
          </Button>
        </nav>
      </header>
      <main id="conversation">
        <Conversation key={id} id={id} onOpen={setId} />
      </main>
      <Shelf
        open={shelf}
        onClose={() => setShelf(false)}
        onOpen={(conversationId) => {
          setShelf(false);
          setId(conversationId);
        }}
      />
      <TokenDialog />
    </>
  );
}
