import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useRef } from "react";

import { extensions } from "./extensions";
import type { SyncedDocument } from "./sync";

/** The document as Markdown that people and the scribe write in. */
export default function Editor({ sync }: { sync: SyncedDocument }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const view = new EditorView({
      state: EditorState.create({ doc: sync.doc, extensions: extensions(sync) }),
      parent: place.current!,
    });
    sync.attach(view);
    return () => {
      sync.detach(view);
      view.destroy();
    };
  }, [sync]);
  return <div className="editor" ref={place} />;
}
