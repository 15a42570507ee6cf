import { type FormEvent, type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";

import { Button, Note } from "../parts/Controls";
import { Markdown } from "../parts/Markdown";
import { tab as store } from "../parts/storage";
import { texts } from "../texts";
import type { ChatMessage } from "./transcript";
import type { Chat } from "./useChat";

function Message({ message, children }: { message: ChatMessage; children?: React.ReactNode }) {
  const isUser = message.role === "user";
  return (
    <li className={`message ${message.role}`}>
      <p className="speaker">{isUser ? texts.you : texts.assistant}</p>
      {isUser ? <p className="said">{message.content}</p> : <Markdown text={message.content} />}
      {message.broken && (
        <p className="hint">{message.broken === "stopped" ? texts.answerStopped : texts.answerBroke}</p>
      )}
      {message.command && texts.commandDone[message.command] && (
        <p className="hint">{texts.commandDone[message.command]}</p>
      )}
      {children}
    </li>
  );
}

/** A text field that sends with Enter; Shift and Enter begin a line. */
function Composer({
  label,
  initial = "",
  keptAs,
  placeholder,
  busy,
  onSend,
  onCancel,
  children,
}: {
  label: string;
  initial?: string;
  /** Where what is written stays until it is sent. */
  keptAs?: string;
  placeholder?: string;
  busy: boolean;
  onSend: (text: string) => void;
  onCancel?: () => void;
  children: React.ReactNode;
}) {
  const [text, setText] = useState(() => (keptAs && store.get(keptAs)) || initial);
  useEffect(() => {
    if (!keptAs) return;
    if (text === "") store.remove(keptAs);
    else store.set(keptAs, text);
  }, [keptAs, text]);
  const send = (event?: FormEvent) => {
    event?.preventDefault();
    const said = text.trim();
    if (said === "" || busy) return;
    setText("");
    onSend(said);
  };
  const press = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === "Escape") onCancel?.();
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };
  return (
    <form className="composer" onSubmit={send}>
      <textarea
        aria-label={label}
        placeholder={placeholder}
        value={text}
        autoFocus={onCancel !== undefined}
        rows={Math.min(8, text.split("\n").length + 1)}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={press}
      />
      <div className="row end">{children}</div>
    </form>
  );
}

export function ChatPanel({
  conversationId,
  chat,
  isKnown,
}: {
  conversationId: string;
  chat: Chat;
  /** Whether turns of it were written down, wherever it was talked in. */
  isKnown: boolean;
}) {
  const { messages, answering, error } = chat;
  const [editing, setEditing] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const follows = useRef(true);
  const editButton = useRef<HTMLButtonElement>(null);
  const wasCancelled = useRef(false);
  const busy = answering !== undefined;

  // The list follows what is said, unless somebody reads further up.
  const follow = useCallback(() => {
    const element = list.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  }, []);
  useEffect(follow, [follow, messages, answering]);
  // It has no height while another panel is shown, and another one in another window.
  useEffect(() => {
    const observer = new ResizeObserver(follow);
    observer.observe(list.current!);
    return () => observer.disconnect();
  }, [follow]);
  const scrolled = () => {
    const element = list.current;
    if (element && element.clientHeight > 0) follows.current = element.scrollHeight - element.scrollTop - element.clientHeight < 80;
  };

  const cancel = () => {
    wasCancelled.current = true;
    setEditing(false);
  };
  // Who goes on by keyboard is where the edit began.
  useEffect(() => {
    if (editing || !wasCancelled.current) return;
    wasCancelled.current = false;
    editButton.current?.focus();
  }, [editing]);

  const lastQuestion = messages.findLastIndex((message) => message.role === "user");
  return (
    <section className="panel chat" aria-label={texts.chat}>
      <ol className="messages" ref={list} onScroll={scrolled} tabIndex={0} aria-label={texts.chat}>
        {messages.length === 0 && !busy && <li className="hint empty">{isKnown ? texts.emptyHere : texts.emptyChat}</li>}
        {messages.map((message, at) =>
          editing && at === lastQuestion ? (
            <li key={message.id} className="message user">
              <Composer
                label={texts.editing}
                initial={message.content}
                busy={busy}
                onSend={(text) => {
                  setEditing(false);
                  chat.edit(text);
                }}
                onCancel={cancel}
              >
                <Button look="quiet" onClick={cancel}>
                  {texts.cancel}
                </Button>
                <Button type="submit" look="strong">
                  {texts.saveAndAsk}
                </Button>
              </Composer>
            </li>
          ) : (
            <Message key={message.id} message={message}>
              {!busy && !error && at === lastQuestion && at === messages.length - 1 && (
                <p className="hint">{texts.noAnswer}</p>
              )}
              {!busy && at >= lastQuestion && (
                <div className="row">
                  {at === lastQuestion && (
                    <Button ref={editButton} look="quiet" onClick={() => setEditing(true)}>
                      {texts.edit}
                    </Button>
                  )}
                  {at === messages.length - 1 && (
                    <Button look="quiet" onClick={chat.again}>
                      {texts.regenerate}
                    </Button>
                  )}
                </div>
              )}
            </Message>
          ),
        )}
        {busy && (
          <li className="message assistant">
            <p className="speaker">{texts.assistant}</p>
            {answering === "" ? <p className="hint">{texts.thinking}</p> : <Markdown text={answering} />}
          </li>
        )}
      </ol>
      {error && <Note kind="error">{error}</Note>}
      <Composer
        keptAs={`scribe.composer.${conversationId}`}
        label={texts.message}
        placeholder={texts.messagePlaceholder}
        busy={busy}
        onSend={chat.send}
      >
        {busy ? (
          // A double click on "Send" is not meant for it.
          <Button onClick={(event) => event.detail < 2 && chat.stop()}>{texts.stop}</Button>
        ) : (
          <Button type="submit" look="strong">
            {texts.send}
          </Button>
        )}
      </Composer>
    </section>
  );
}
