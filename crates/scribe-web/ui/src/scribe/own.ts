// What a person typed, as stretches of a text: in order, and none touches another.

import type { ChangeSet } from "@codemirror/state";

export type Ranges = readonly { from: number; to: number }[];

/** Whether a place lies between two letters of one stretch. */
export function isInside(ranges: Ranges, place: number): boolean {
  return ranges.some(({ from, to }) => from < place && place < to);
}

/** The stretches in the text that changes lead to. What the changes bring is this person's, or is not. */
export function after(ranges: Ranges, changes: ChangeSet, isOwn: boolean): Ranges {
  const brought: { from: number; to: number }[] = [];
  changes.iterChanges((_fromA, _toA, from, to) => {
    if (from < to) brought.push({ from, to });
  });
  const kept = ranges
    .map(({ from, to }) => ({ from: changes.mapPos(from, 1), to: changes.mapPos(to, -1) }))
    .filter(({ from, to }) => from < to);
  if (!isOwn) return brought.reduce((left: Ranges, gap) => left.flatMap((range) => without(range, gap)), kept);
  const all = [...kept, ...brought].sort((one, other) => one.from - other.from);
  const joined: { from: number; to: number }[] = [];
  for (const range of all) {
    const last = joined.at(-1);
    if (last && range.from <= last.to) last.to = Math.max(last.to, range.to);
    else joined.push({ ...range });
  }
  return joined;
}

function without(range: { from: number; to: number }, gap: { from: number; to: number }): Ranges {
  const parts = [
    { from: range.from, to: Math.min(range.to, gap.from) },
    { from: Math.max(range.from, gap.to), to: range.to },
  ];
  return range.to <= gap.from || gap.to <= range.from ? [range] : parts.filter(({ from, to }) => from < to);
}
