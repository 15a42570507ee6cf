import { markdown, markdownLanguage } from "@codemirror/lang-markdown";
import { unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useRef } from "react";

import { texts } from "../texts";

/** With a break at its end, or a last line that others go on behind would count as changed. */
const ended = (text: string) => (text === "" || text.endsWith("\n") ? text : `${text}\n`);

/** Two texts, with what was taken out and put in. */
export default function Compare({ before, after }: { before: string; after: string }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const view = new EditorView({
      state: EditorState.create({
        doc: ended(after),
        extensions: [
          markdown({ base: markdownLanguage }),
          EditorView.lineWrapping,
          EditorState.readOnly.of(true),
          EditorView.editable.of(false),
          EditorView.contentAttributes.of({ "aria-label": texts.compareTitle, tabindex: "0" }),
          unifiedMergeView({
            original: ended(before),
            mergeControls: false,
            gutter: true,
            collapseUnchanged: { margin: 2, minSize: 6 },
            diffConfig: { scanLimit: 1000, timeout: 300 },
          }),
        ],
      }),
      parent: place.current!,
    });
    return () => view.destroy();
  }, [before, after]);
  return <div className="compare" ref={place} />;
}
