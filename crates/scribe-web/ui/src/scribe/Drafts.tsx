import { createPortal } from "react-dom";

import type { Draft } from "../api/events";
import { texts } from "../texts";
import type { Wanted } from "./useBeside";

interface Piece extends Wanted {
  messageId: string;
  text: string;
}

/** What is being written, edit by edit. */
export function pieces(drafts: Iterable<Draft>): Piece[] {
  return [...drafts].flatMap(({ messageId, edits }) =>
    edits
      .map(({ action, block, markdown }, nth) => ({
        key: `draft.${messageId}.${nth}`,
        action,
        block: block || null,
        messageId,
        text: markdown.trim(),
      }))
      .filter(({ text }) => text !== ""),
  );
}

/** Text that is being written: seen at its place, and not kept yet. */
export function Drafts({
  drafts,
  hosts,
  question,
}: {
  drafts: Piece[];
  hosts: ReadonlyMap<string, HTMLElement>;
  question: (messageId: string) => string;
}) {
  const card = ({ key, messageId, action, text }: Piece) => (
    <div key={key} className="draft" role="group" aria-label={texts.drafts} tabIndex={0}>
      <p className="hint">
        {action === "replace" ? texts.draftReplaces : texts.drafts}
        {question(messageId) && ` · ${texts.draftOf(question(messageId))}`}
      </p>
      <p className="draft-text">{text}</p>
    </div>
  );
  return (
    <div className="drafts">
      {drafts.map((piece) => {
        const host = hosts.get(piece.key);
        return host ? createPortal(card(piece), host, piece.key) : card(piece);
      })}
    </div>
  );
}
