// Changes by two people at once, and where the caret's block lies.

import { ChangeSet, type Text } from "@codemirror/state";

import type { Ranges } from "./own";

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
 * Two changes of one text, each moved past the other. Nothing if both changed the same words: that is for the server to
 * decide, which keeps what does not stand as a suggestion.
 */
export function apart(
  local: ChangeSet,
  theirs: ChangeSet,
  before: string,
  own: Ranges,
): { local: ChangeSet; theirs: ChangeSet } | undefined {
  const [mine, others] = [listed(local), listed(theirs)];
  if (mine.some((one) => others.some((other) => collide(one, other, before)))) return undefined;
  // Where both write behind the same word, what each adds to the line comes before the lines that either begins.
  const shared = new Set(mine.filter((one) => others.some((other) => isPut(one) && isPut(other) && one.from === other.from)).map(({ from }) => from));
  const [myLine, myLines] = split(mine, shared, before);
  const [theirLine, theirLines] = split(others, shared, before);
  const one = crossed(myLine, theirLine, before, own);
  const two = past(myLines, one.theirs, false);
  const three = past(one.local, theirLines, true);
  const four = past(two.local, three.theirs, true);
  return { local: three.local.compose(four.local), theirs: two.theirs.compose(four.theirs) };
}

/** Changes as two that follow each other: in the second are the lines that are begun in these places. */
function split(changes: Change[], places: Set<number>, before: string): [ChangeSet, ChangeSet] {
  const lines: { at: Change; insert: Text }[] = [];
  const line = changes.map((change) => {
    const end = change.insert.line(1).to;
    const isSplit = isPut(change) && places.has(change.from) && change.insert.lines > 1 && before.slice(change.from - 1, change.from) !== "\n";
    if (!isSplit || change.from === 0) return change;
    lines.push({ at: change, insert: change.insert.slice(end) });
    return { ...change, insert: change.insert.slice(0, end) };
  });
  const first = ChangeSet.of(line, before.length);
  const rest = lines.map(({ at, insert }) => ({ from: first.mapPos(at.from, 1), insert }));
  return [first, ChangeSet.of(rest, first.newLength)];
}

/** Two changes of one text, each moved past the other; the local ones first where both put something in, or last. */
function past(local: ChangeSet, theirs: ChangeSet, isLocalFirst: boolean): { local: ChangeSet; theirs: ChangeSet } {
  return { local: local.map(theirs, isLocalFirst), theirs: theirs.map(local, !isLocalFirst) };
}

function crossed(local: ChangeSet, theirs: ChangeSet, before: string, own: Ranges): { local: ChangeSet; theirs: ChangeSet } {
  const [mine, others] = [listed(local), listed(theirs)];
  const isFirst = (change: Change) => {
    const beside = isPut(change) ? mine.find((one) => isPut(one) && one.from === change.from) : undefined;
    return beside !== undefined && standsFirst(change, beside, before, own);
  };
  const inFront = ChangeSet.of(others.filter(isFirst), before.length);
  const behind = ChangeSet.of(
    others.filter((change) => !isFirst(change)),
    before.length,
  ).map(inFront);
  const one = past(local, inFront, false);
  const two = past(one.local, behind, true);
  return { local: two.local, theirs: one.theirs.compose(two.theirs) };
}

/** Whether what others put in where this person did stands in front of it. Else what was typed here is what is seen first. */
function standsFirst(theirs: Change, mine: Change, before: string, own: Ranges): boolean {
  const place = theirs.from;
  if (own.some(({ to }) => to === place)) return false;
  // Their letters belong to the word before, or to the space before it where a new one is begun here; or what is typed
  // here belongs to what this person wrote behind it.
  const goesOn = /\S/.test(first(theirs)) && (/\S/.test(before.slice(place - 1, place)) || /\s/.test(first(mine)));
  return goesOn || own.some(({ from }) => from === place);
}

/** Whether two changes of one text are of the same words. That both take something away is no dispute. */
function collide(one: Change, other: Change, before: string): boolean {
  if (!isPut(one) && !isPut(other)) {
    const isSame = one.from === other.from && one.to === other.to && one.insert.eq(other.insert);
    return Math.max(one.from, other.from) < Math.min(one.to, other.to) && one.insert.length + other.insert.length > 0 && !isSame;
  }
  if (isPut(one) && isPut(other)) return false;
  const [taken, put] = isPut(one) ? [other, one] : [one, other];
  if (taken.from < put.from && put.from < taken.to) return true;
  // Letters that were put to a word which is another one now.
  const isWord = (text: string) => WORD.test(text);
  const goesOn = put.from === taken.to && isWord(before.slice(taken.to - 1, taken.to)) && isWord(first(put));
  const goesBefore = put.from === taken.from && isWord(before.slice(taken.from, taken.from + 1)) && isWord(last(put));
  return goesOn || goesBefore;
}

/** The letters of words. */
export const WORD = /[\p{L}\p{M}\p{N}_'’]/u;

interface Change {
  from: number;
  to: number;
  insert: Text;
}

function listed(changes: ChangeSet): Change[] {
  const list: Change[] = [];
  changes.iterChanges((from, to, _from, _to, insert) => list.push({ from, to, insert }), true);
  return list;
}

/** Whether it takes nothing away. */
const isPut = ({ from, to }: Change) => from === to;
const first = ({ insert }: Change) => insert.sliceString(0, 1);
const last = ({ insert }: Change) => insert.sliceString(insert.length - 1);
