// Changes between two texts, and where the caret's block lies.

import { presentableDiff } from "@codemirror/merge";
import { ChangeSet, type Text } from "@codemirror/state";

/** What turns one text into another, as a change of an editor, word by word: a change in the middle of one could tear another. */
export function changesBetween(before: string, after: string): ChangeSet {
  if (before === after) return ChangeSet.empty(before.length);
  const changes = presentableDiff(before, after, { scanLimit: 500, timeout: 100 }).map(({ fromA, toA, fromB, toB }) => ({
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

/** Whether a change touches a range of the text that it is made to. A new block in front of it or behind it does not. */
export function touches(changes: ChangeSet, range: { from: number; to: number }): boolean {
  let found = false;
  changes.iterChanges((from, to, _from, _to, inserted) => {
    const isBehind = from === to && from === range.to && inserted.sliceString(0, 1) === "\n";
    const isInFront = from === to && from === range.from && inserted.sliceString(inserted.length - 1) === "\n";
    found ||= from <= range.to && to >= range.from && !isBehind && !isInFront;
  });
  return found;
}

/**
 * Two changes of one text, each moved past the other. Where both put something in at the same place, what was typed here
 * stands first, unless the others go on with the word before: their letters belong to it.
 */
export function apart(local: ChangeSet, theirs: ChangeSet, before: string): { local: ChangeSet; theirs: ChangeSet } {
  const typed = new Map<number, string>();
  local.iterChanges((from, to, _from, _to, inserted) => {
    if (from === to) typed.set(from, inserted.sliceString(0, 1));
  });
  let localFirst = true;
  theirs.iterChanges((from, to, _from, _to, inserted) => {
    const own = from === to ? typed.get(from) : undefined;
    if (own === undefined) return;
    const goesOn = /\S/.test(before.slice(from - 1, from)) && /\S/.test(inserted.sliceString(0, 1));
    if (goesOn && /\s/.test(own)) localFirst = false;
  });
  return { local: local.map(theirs, localFirst), theirs: theirs.map(local, !localFirst) };
}
