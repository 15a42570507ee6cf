// What turns one text into another, as changes of an editor.
//
// Word by word: letters that two words share by chance must not keep them from being two. And where the same text can
// come about in several ways ("a b" of "b" by "a " in front, or of "a" by " b" behind), the way is taken that a person
// at a keyboard would have gone, and that does not tear what this person typed: others could not write into the middle
// of what they had not seen.

import { diff } from "@codemirror/merge";
import { ChangeSet } from "@codemirror/state";

import { WORD } from "./changes";
import { type Ranges, isInside } from "./own";

interface Hunk {
  from: number;
  to: number;
  insert: string;
}

const TOKEN = /[\p{L}\p{M}\p{N}_'’]+|[^]/gu;
/** Letters that stand for tokens: the ones below the surrogates. */
const MOST_TOKENS = 0xd7ff;

/** The changes from a text to another one. `own` is what this person typed in the first. */
export function changesBetween(before: string, after: string, own: Ranges = []): ChangeSet {
  if (before === after) return ChangeSet.empty(before.length);
  const { start, end } = common(before, after);
  const hunks = byWords(before.slice(start, before.length - end), after.slice(start, after.length - end));
  const moved = hunks.map(({ from, to, insert }) => ({ from: from + start, to: to + start, insert }));
  let last = 0;
  const placed = moved.map((hunk, at) => {
    const next = moved[at + 1]?.from ?? before.length;
    const { from, to, insert } = hunk.from === hunk.to ? place(hunk, before, last, next, own) : trim(hunk, before);
    last = to;
    return { from, to, insert };
  });
  return ChangeSet.of(placed, before.length);
}

/** How much both texts begin and end with, as whole words. */
function common(one: string, other: string): { start: number; end: number } {
  const most = Math.min(one.length, other.length);
  let start = 0;
  while (start < most && one[start] === other[start]) start++;
  let end = 0;
  while (end < most - start && one[one.length - 1 - end] === other[other.length - 1 - end]) end++;
  while (start > 0 && WORD.test(one[start - 1] ?? "")) start--;
  while (end > 0 && WORD.test(one[one.length - end] ?? "")) end--;
  // Half of a surrogate pair is no letter.
  if (/[\ud800-\udbff]/.test(one[start - 1] ?? "")) start--;
  if (/[\udc00-\udfff]/.test(one[one.length - end] ?? "")) end--;
  return { start, end };
}

function byWords(before: string, after: string): Hunk[] {
  const letters = new Map<string, string>();
  const spell = (text: string) => {
    const tokens = text.match(TOKEN) ?? [];
    const starts = [0];
    let spelled = "";
    for (const token of tokens) {
      let letter = letters.get(token);
      if (letter === undefined) {
        letter = String.fromCharCode(letters.size + 1);
        letters.set(token, letter);
      }
      spelled += letter;
      starts.push((starts.at(-1) ?? 0) + token.length);
    }
    return { spelled, starts };
  };
  const [a, b] = [spell(before), spell(after)];
  if (letters.size >= MOST_TOKENS) return [{ from: 0, to: before.length, insert: after }];
  return diff(a.spelled, b.spelled, { scanLimit: 500, timeout: 100 }).map(({ fromA, toA, fromB, toB }) => ({
    from: a.starts[fromA] ?? 0,
    to: a.starts[toA] ?? before.length,
    insert: after.slice(b.starts[fromB], b.starts[toB]),
  }));
}

/** A word that has grown or shrunk is not another one. */
function trim(hunk: Hunk, before: string): Hunk {
  const gone = before.slice(hunk.from, hunk.to);
  const { insert } = hunk;
  const most = Math.min(gone.length, insert.length);
  let start = 0;
  while (start < most && gone[start] === insert[start]) start++;
  let end = 0;
  while (end < most - start && gone[gone.length - 1 - end] === insert[insert.length - 1 - end]) end++;
  const isGrown = start + end === most || !/\s/.test(gone + insert);
  if (!isGrown || /[\ud800-\udfff]/.test(gone + insert)) return hunk;
  return { from: hunk.from + start, to: hunk.to - end, insert: insert.slice(start, insert.length - end) };
}

/** Where a text was put in, of all the places where it comes to the same. */
function place(hunk: Hunk, before: string, least: number, most: number, own: Ranges): Hunk {
  let best = hunk;
  let points = likeliness(hunk, before, own);
  const weigh = (candidate: Hunk) => {
    const of = likeliness(candidate, before, own);
    if (of > points) [best, points] = [candidate, of];
  };
  let { from, insert } = hunk;
  while (from > least && before[from - 1] === insert.at(-1)) {
    from--;
    insert = (before[from] ?? "") + insert.slice(0, -1);
    weigh({ from, to: from, insert });
  }
  ({ from, insert } = hunk);
  while (from < most && before[from] === insert[0]) {
    insert = insert.slice(1) + (before[from] ?? "");
    from++;
    weigh({ from, to: from, insert });
  }
  return best;
}

function likeliness({ from, insert }: Hunk, before: string, own: Ranges): number {
  const [left, right] = [before[from - 1] ?? "\n", before[from] ?? "\n"];
  const [first, last] = [insert[0] ?? "", insert.at(-1) ?? ""];
  let points = 0;
  if (isInside(own, from)) points -= 100;
  if (WORD.test(left) && WORD.test(right)) points -= 50;
  if ((WORD.test(left) && WORD.test(first)) || (WORD.test(last) && WORD.test(right))) points -= 10;
  // New blocks and lines behind what stood there, then words behind a word, then words in front of one.
  if (first === "\n" && right === "\n" && left !== "\n") points += 5;
  else if (last === "\n" && left === "\n") points += 4;
  else if (/\s/.test(first) && /\S/.test(left)) points += 3;
  else if (/\s/.test(last) && /\S/.test(right)) points += 2;
  // Not where this person goes on.
  if (own.some(({ to }) => to === from)) points -= 1;
  return points;
}
