import { type FormEvent, useState } from "react";

import { api, ask, type StyleChoice } from "../api/client";
import type { ChatMessage } from "../chat/transcript";
import { Button, Note } from "../parts/Controls";
import { texts } from "../texts";

/** Begins the document of a conversation, with what was said so far. */
export function Start({
  conversationId,
  messages,
  onStarted,
}: {
  conversationId: string;
  messages: ChatMessage[];
  onStarted: () => void;
}) {
  const [title, setTitle] = useState("");
  const [style, setStyle] = useState<StyleChoice>("auto");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();

  const start = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    const first = messages.find((message) => message.role === "user")?.content.split("\n")[0];
    const body = {
      conversationId,
      title: (title.trim() || first || texts.untitled).slice(0, 200),
      style,
      messages: messages
        .filter((message) => !message.broken)
        .map(({ role, content }) => ({ role, content })),
    };
    try {
      await ask(api.POST("/api/chat/background-doc/start", { body }));
      onStarted();
    } catch (failed) {
      setError(failed instanceof Error ? failed.message : String(failed));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form className="start" onSubmit={start}>
      <p className="hint">{texts.startHint}</p>
      <label className="field">
        {texts.startTitle}
        <input
          value={title}
          maxLength={200}
          placeholder={texts.startTitlePlaceholder}
          onChange={(event) => setTitle(event.target.value)}
        />
      </label>
      <label className="field">
        {texts.style}
        <StyleSelect value={style} onChange={setStyle} />
      </label>
      {error && <Note kind="error">{error}</Note>}
      <Button type="submit" look="strong" disabled={busy}>
        {texts.startScribe}
      </Button>
    </form>
  );
}

export function StyleSelect({ value, onChange }: { value: StyleChoice; onChange: (style: StyleChoice) => void }) {
  return (
    <select value={value} onChange={(event) => onChange(event.target.value as StyleChoice)}>
      {Object.entries(texts.styles).map(([style, name]) => (
        <option key={style} value={style}>
          {name}
        </option>
      ))}
    </select>
  );
}
