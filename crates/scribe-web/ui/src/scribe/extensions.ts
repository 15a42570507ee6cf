// The editor: CodeMirror with Markdown, and soft marks on what others wrote last.

import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { markdown, markdownLanguage } from "@codemirror/lang-markdown";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, drawSelection, EditorView, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";

import { texts } from "../texts";
import { beside } from "./beside";
import { byOthers } from "./inPlace";
import type { SyncedDocument } from "./sync";

const look = HighlightStyle.define([
  { tag: tags.heading1, class: "md-h1" },
  { tag: tags.heading2, class: "md-h2" },
  { tag: tags.heading, class: "md-h3" },
  { tag: tags.strong, class: "md-strong" },
  { tag: tags.emphasis, class: "md-em" },
  { tag: tags.strikethrough, class: "md-strike" },
  { tag: [tags.link, tags.url], class: "md-link" },
  { tag: tags.monospace, class: "md-code" },
  { tag: tags.quote, class: "md-quote" },
  { tag: [tags.processingInstruction, tags.contentSeparator, tags.meta], class: "md-mark" },
]);

const fade = StateEffect.define<null>();
const fresh = Decoration.mark({ class: "fresh" });

/** What others wrote last. */
const freshText = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    if (transaction.effects.some((effect) => effect.is(fade))) return Decoration.none;
    marks = marks.map(transaction.changes);
    if (!transaction.annotation(byOthers)) return marks;
    const added: { from: number; to: number }[] = [];
    transaction.changes.iterChangedRanges((_from, _to, from, to) => {
      if (to > from) added.push({ from, to });
    });
    return Decoration.set(
      added.map(({ from, to }) => fresh.range(from, to)),
      true,
    );
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** How long a mark stays, in milliseconds. */
const FRESH = 12_000;

export function extensions(sync: SyncedDocument): Extension {
  let fading: ReturnType<typeof setTimeout> | undefined;
  return [
    history(),
    drawSelection(),
    search({ top: true }),
    EditorState.phrases.of(texts.search),
    EditorView.lineWrapping,
    markdown({ base: markdownLanguage }),
    syntaxHighlighting(look),
    freshText,
    beside,
    keymap.of([
      {
        key: "Mod-s",
        preventDefault: true,
        run: () => {
          sync.saveNow();
          return true;
        },
      },
      ...defaultKeymap,
      ...historyKeymap,
      ...searchKeymap,
    ]),
    EditorView.contentAttributes.of({
      "aria-label": texts.editor,
      spellcheck: "true",
      autocapitalize: "sentences",
      tabindex: "0",
    }),
    EditorView.updateListener.of((update) => {
      sync.noticed(update);
      if (update.transactions.some((transaction) => transaction.annotation(byOthers))) {
        clearTimeout(fading);
        fading = setTimeout(() => update.view.dispatch({ effects: fade.of(null) }), FRESH);
      }
    }),
    EditorView.domEventHandlers({
      blur: () => {
        sync.saveNow();
        return false;
      },
    }),
  ];
}
