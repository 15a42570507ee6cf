import { useEffect, useRef, useState } from "react";

import { texts } from "../texts";

/** The document's title, to be written over. What was written stays until the server has it, or says that it will not. */
export function Title({
  title,
  refused,
  isReadOnly,
  onChange,
}: {
  title: string;
  refused: boolean;
  isReadOnly: boolean;
  onChange: (title: string) => void;
}) {
  const [text, setText] = useState(title);
  const [wanted, setWanted] = useState<string>();
  const begun = useRef<string>(undefined);
  useEffect(() => {
    if (wanted === title) setWanted(undefined);
    else if (wanted === undefined && begun.current === undefined) setText(title);
  }, [title, wanted]);
  useEffect(() => {
    if (refused) setWanted(undefined);
  }, [refused]);
  const done = () => {
    const before = begun.current;
    begun.current = undefined;
    const changed = text.trim();
    // Who only looked at it has not named it, whatever others called it meanwhile.
    if (changed === "" || changed === before) {
      setText(wanted ?? title);
      return;
    }
    setText(changed);
    setWanted(changed);
    onChange(changed);
  };
  return (
    <input
      className="title"
      aria-label={texts.title}
      value={text}
      maxLength={200}
      readOnly={isReadOnly}
      onFocus={() => {
        begun.current = text;
      }}
      onBlur={done}
      onChange={(event) => setText(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") setText(begun.current ?? title);
      }}
    />
  );
}
