// What others wrote, put into an editor.

import { Annotation, type ChangeSet, Transaction } from "@codemirror/state";
import type { EditorView } from "@codemirror/view";

/** Marks what others wrote. */
export const byOthers = Annotation.define<boolean>();

/** Puts changes in without moving what the person looks at: the caret's line if it is in sight, else the first line. */
export function inPlace(view: EditorView, changes: ChangeSet): void {
  const scroller = view.scrollDOM;
  const top = (position: number) => view.lineBlockAt(position).top;
  const caret = view.state.selection.main.head;
  const first = view.lineBlockAtHeight(scroller.scrollTop).from;
  const isInSight = top(caret) >= scroller.scrollTop && top(caret) < scroller.scrollTop + scroller.clientHeight;
  const anchor = view.hasFocus && isInSight ? caret : first;
  const before = top(anchor) - scroller.scrollTop;
  view.dispatch({ changes, annotations: [byOthers.of(true), Transaction.addToHistory.of(false)] });
  const moved = changes.mapPos(anchor, 1);
  view.requestMeasure({
    key: scroller,
    read: () => top(moved) - scroller.scrollTop - before,
    write: (by) => {
      if (Math.abs(by) > 1) scroller.scrollTop += by;
    },
  });
}
