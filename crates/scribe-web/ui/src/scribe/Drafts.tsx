import type { Draft } from "../api/events";
import { texts } from "../texts";

/** Text that is being written: seen, and not kept yet. */
export function Drafts({ drafts, question }: { drafts: Draft[]; question: (messageId: string) => string }) {
  const shown = drafts
    .map((draft) => ({ draft, text: draft.edits.map((edit) => edit.markdown).join("\n\n").trim() }))
    .filter(({ text }) => text !== "");
  return (
    <section className="drafts" aria-label={texts.drafts} aria-hidden={shown.length === 0}>
      {shown.map(({ draft, text }) => (
        <article key={draft.messageId} className="draft">
          <p className="hint">
            {texts.drafts}
            {question(draft.messageId) && ` · ${texts.draftOf(question(draft.messageId))}`}
          </p>
          <p className="draft-text">{text}</p>
        </article>
      ))}
    </section>
  );
}
