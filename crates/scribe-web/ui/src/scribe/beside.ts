// What is shown between the lines of the document and is no part of it: text that is being written, and suggestions.

import { type Extension, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate, WidgetType } from "@codemirror/view";

/** Something beside a block. */
export interface Beside {
  /** The end of the line that it stands below; 0 with `isTop` for above the first one. */
  at: number;
  isTop: boolean;
  host: HTMLElement;
}

/** All that is to be shown from now on. */
export const setBeside = StateEffect.define<readonly Beside[]>();

class Host extends WidgetType {
  constructor(readonly host: HTMLElement) {
    super();
  }
  override eq(other: Host): boolean {
    return other.host === this.host;
  }
  /** The editor may draw it in a new place before it takes it away from the old one. */
  override toDOM(): HTMLElement {
    const place = document.createElement("div");
    place.className = "between";
    place.append(this.host);
    return place;
  }
  /** Its buttons are its own. */
  override ignoreEvent(): boolean {
    return true;
  }
}

const hosts = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(shown, transaction) {
    shown = shown.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(setBeside)) continue;
      const widgets = effect.value.map(({ at, isTop, host }) =>
        Decoration.widget({ widget: new Host(host), block: true, side: isTop ? -1 : 1 }).range(at),
      );
      shown = Decoration.set(widgets, true);
    }
    return shown;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Keeps the line with the caret where it is while something above it grows, comes or goes. */
class Steady {
  private readonly watched = new Set<Element>();
  private readonly resized = new ResizeObserver(() => this.keep(this.now()));
  /** Where the caret was seen last, below the top of what is in sight, and how high all that is watched was then. */
  private caret: number | undefined;
  private height = 0;

  constructor(private readonly view: EditorView) {
    this.watch();
  }

  update({ docChanged, selectionSet, focusChanged }: ViewUpdate): void {
    if (this.watch()) this.view.requestMeasure({ key: this, read: () => this.now(), write: (is) => this.keep(is) });
    else if (docChanged || selectionSet || focusChanged) this.view.requestMeasure({ key: this, read: () => this.look() });
  }

  /** Where less text is left the browser scrolls, and nobody meant it. */
  scrolled(): void {
    if (this.height === this.sum()) this.look();
    else this.keep(this.now());
  }

  destroy(): void {
    this.resized.disconnect();
  }

  /** Answers whether there are others than before. */
  private watch(): boolean {
    const present = new Set<Element>();
    for (let cursor = this.view.state.field(hosts).iter(); cursor.value; cursor.next()) {
      present.add((cursor.value.spec.widget as Host).host);
    }
    for (const host of present) {
      if (!this.watched.has(host)) this.resized.observe(host);
    }
    for (const host of this.watched) {
      if (!present.has(host)) this.resized.unobserve(host);
    }
    const isOther = present.size !== this.watched.size || [...present].some((host) => !this.watched.has(host));
    this.watched.clear();
    for (const host of present) this.watched.add(host);
    return isOther;
  }

  private sum(): number {
    return [...this.watched].reduce((sum, host) => sum + host.getBoundingClientRect().height, 0);
  }

  private look(): void {
    this.caret = this.now();
    this.height = this.sum();
  }

  private now(): number | undefined {
    const { view } = this;
    const at = view.hasFocus ? view.coordsAtPos(view.state.selection.main.head) : null;
    return at ? at.top - view.scrollDOM.getBoundingClientRect().top : undefined;
  }

  private keep(is: number | undefined): void {
    const { scrollDOM } = this.view;
    const was = this.caret;
    const isMoved = is !== undefined && was !== undefined && was >= 0 && was < scrollDOM.clientHeight && Math.abs(is - was) > 1;
    if (isMoved) scrollDOM.scrollTop += is - was;
    else this.caret = is;
    this.height = this.sum();
  }
}

const steady = ViewPlugin.fromClass(Steady, {
  eventHandlers: {
    scroll() {
      this.scrolled();
    },
  },
});

export const beside: Extension = [hosts, steady];
