import { useEffect, useRef, useState } from "react";

import { api, ask, type BlockView } from "../api/client";
import { type Beside, setBeside } from "./beside";
import type { SyncedDocument } from "./sync";

/** Something that belongs to a block. */
export interface Wanted {
  key: string;
  /** As edits and suggestions name it. */
  action: string;
  /** Null for the document, empty for its top. */
  block: string | null;
}

/** How long until a place that is not known yet is looked for again, in milliseconds. */
const AGAIN = 300;

function level(text: string): number {
  return /^ {0,3}(#{1,6})(\s|$)/.exec(text)?.[1]?.length ?? 7;
}

/** The last line of what an edit goes behind: its block, or the section that its heading begins. None if it is not known. */
function lastLine({ action, block }: Wanted, blocks: BlockView[], lines: string[]): number | undefined {
  if (block === "") return 0;
  if (block === null) return blocks.at(-1)?.lastLine;
  const at = blocks.findIndex(({ id }) => id === block);
  const found = blocks[at];
  if (!found || !["append", "new_section"].includes(action)) return found?.lastLine;
  const levelOf = ({ firstLine }: BlockView) => level(lines[firstLine - 1] ?? "");
  const next = blocks.findIndex((other, index) => index > at && levelOf(other) < 7 && levelOf(other) <= levelOf(found));
  return blocks.at(next === -1 ? -1 : next - 1)?.lastLine;
}

/** Elements that stand beside their blocks in the editor, by what they are for. What has no place there is not among them. */
export function useBeside(
  sync: SyncedDocument | undefined,
  assetId: string | undefined,
  version: string | undefined,
  wanted: Wanted[],
): ReadonlyMap<string, HTMLElement> {
  const [known, setKnown] = useState<{ etag: string; blocks: BlockView[] }>();
  const [placed, setPlaced] = useState<ReadonlyMap<string, HTMLElement>>(new Map());
  const hosts = useRef(new Map<string, HTMLElement>());
  const isNeeded = wanted.length > 0;
  useEffect(() => {
    if (!isNeeded || !assetId) return undefined;
    let left = false;
    ask(api.GET("/api/media-assets/{id}/blocks", { params: { path: { id: assetId } } }))
      .then(({ data, response }) => {
        if (!left) setKnown({ etag: response.headers.get("etag") ?? "", blocks: data.blocks });
      })
      // What has no place is shown below the text, and the next version tries again.
      .catch(() => undefined);
    return () => {
      left = true;
    };
  }, [assetId, version, isNeeded]);

  const names = JSON.stringify(wanted);
  useEffect(() => {
    if (!sync) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const place = () => {
      clearTimeout(timer);
      const all = JSON.parse(names) as Wanted[];
      const view = sync.editor;
      const found = known && sync.textOf(known.etag);
      if (all.length > 0 && (!view || !found)) {
        timer = setTimeout(place, AGAIN);
        return;
      }
      const lines = found?.split("\n") ?? [];
      const shown = new Map<string, HTMLElement>();
      const list: Beside[] = [];
      for (const one of all) {
        const line = known && lastLine(one, known.blocks, lines);
        const at = line === undefined ? undefined : sync.endOf(line);
        if (at === undefined) continue;
        const host = hosts.current.get(one.key) ?? document.createElement("div");
        shown.set(one.key, host);
        list.push({ at, isTop: line === 0, host });
      }
      hosts.current = shown;
      view?.dispatch({ effects: setBeside.of(list) });
      setPlaced(shown);
    };
    place();
    const noLonger = sync.whenAttached(place);
    return () => {
      noLonger();
      clearTimeout(timer);
    };
  }, [sync, known, names]);
  return placed;
}
