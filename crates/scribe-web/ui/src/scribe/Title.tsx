import { useEffect, useState } from "react";

import { texts } from "../texts";

/** The document's title, to be written over. */
export function Title({ title, onChange }: { title: string; onChange: (title: string) => void }) {
  const [text, setText] = useState(title);
  const [editing, setEditing] = useState(false);
  useEffect(() => {
    if (!editing) setText(title);
  }, [title, editing]);
  const done = () => {
    setEditing(false);
    const wanted = text.trim();
    if (wanted !== "" && wanted !== title) onChange(wanted);
    else setText(title);
  };
  return (
    <input
      className="title"
      aria-label={texts.title}
      value={text}
      maxLength={200}
      onFocus={() => setEditing(true)}
      onBlur={done}
      onChange={(event) => setText(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") {
          setText(title);
          setEditing(false);
        }
      }}
    />
  );
}
