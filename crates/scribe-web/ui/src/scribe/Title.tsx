import { useEffect, useRef, useState } from "react";

import { texts } from "../texts";

/** Who has named the document so recently, in milliseconds, is told when another one names it. */
const RECENT = 30_000;

/** What the server does not take in a title. Others paste it and don't see it. */
const UNSEEN = /[\p{Cc}\u200b\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** The document's title, to be written over. What was written stays until the server has it, or says that it will not. */
export function Title({
  title,
  refused,
  isReadOnly,
  onChange,
  onTold,
}: {
  title: string;
  refused: boolean;
  isReadOnly: boolean;
  onChange: (title: string) => void;
  /** Somebody else has named it too. */
  onTold: (notice: string) => void;
}) {
  const [text, setText] = useState(title);
  const [wanted, setWanted] = useState<string>();
  const begun = useRef<string>(undefined);
  const isRefused = useRef(false);
  /** What the document was called before. */
  const before = useRef(title);
  const named = useRef({ title: "", at: 0 });
  useEffect(() => {
    const others = before.current === named.current.title && Date.now() - named.current.at < RECENT;
    if (before.current !== title && others) onTold(texts.renamed(title));
    before.current = title;
    if (wanted === title) setWanted(undefined);
    else if (wanted === undefined && begun.current === undefined && !isRefused.current) setText(title);
  }, [title, wanted]);
  useEffect(() => {
    if (!refused || wanted === undefined) return;
    // It stays, to be written otherwise.
    isRefused.current = true;
    setWanted(undefined);
  }, [refused, wanted]);
  const done = () => {
    const first = begun.current;
    begun.current = undefined;
    const changed = text.replace(UNSEEN, "").trim();
    isRefused.current = false;
    // Who only looked at it has not named it, whatever others called it meanwhile.
    if (changed === "" || changed === first) {
      setText(wanted ?? title);
      return;
    }
    if (title !== first && title !== changed && wanted === undefined) onTold(texts.renamedMeanwhile(title));
    named.current = { title: changed, at: Date.now() };
    setText(changed);
    setWanted(changed);
    onChange(changed);
  };
  return (
    <input
      className="title"
      aria-label={texts.title}
      title={text}
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
