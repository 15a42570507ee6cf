// Changes between two texts, and where the caret's block lies.

import { diff } from "@codemirror/merge";
import { ChangeSet, type Text } from "@codemirror/state";

/** What turns one text into another, as a change of an editor. */
export function changesBetween(before: string, after: string): ChangeSet {
  if (before === after) return ChangeSet.empty(before.length);
  const changes = diff(before, after, { scanLimit: 500, timeout: 100 }).map(({ fromA, toA, fromB, toB }) => ({
    from: fromA,
    to: toA,
    insert: after.slice(fromB, toB),
  }));
  return ChangeSet.of(changes, before.length);
}

/** The block around a position: the lines up to the next empty one on both sides. */
export function blockAround(doc: Text, position: number): { from: number; to: number } {
  const here = doc.lineAt(position);
  let [first, last] = [here.number, here.number];
  if (here.text.trim() !== "") {
    while (first > 1 && doc.line(first - 1).text.trim() !== "") first--;
    while (last < doc.lines && doc.line(last + 1).text.trim() !== "") last++;
  }
  return { from: doc.line(first).from, to: doc.line(last).to };
}

/** Whether a change touches a range of the text that it is made to. */
export function touches(changes: ChangeSet, range: { from: number; to: number }): boolean {
  let found = false;
  changes.iterChangedRanges((from, to) => {
    // What is put in at the very end of the range stands behind it.
    found ||= from === to ? from > range.from && from < range.to : from < range.to && to > range.from;
  });
  return found;
}
