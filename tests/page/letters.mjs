// Many pairs of people type in a document each, letter by letter, with pauses within words, slow answers, lost answers,
// connections that go and pages that are read anew, while the scribe writes. The page's engine runs as it is, without a
// browser, so that there is room for many. Tells which of their words are missing, torn or doubled at the end.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { tell, url } from "./browser.mjs";
import { createDocument, recordTurn } from "./documents.mjs";

const documents = Number(process.env.LETTERS_DOCUMENTS ?? 24);
const seconds = Number(process.env.LETTERS_SECONDS ?? 20);
/** The longest that one way over the wire takes, in milliseconds; each person has a way of their own. */
const slowest = Number(process.env.LETTERS_SLOWEST ?? 1_500);
/** One in so many phrases is followed by the page being read anew; 0 for none. */
const reloads = Number(process.env.LETTERS_RELOADS ?? 6);
const seed = Number(process.env.LETTERS_SEED ?? Math.floor(Math.random() * 1e9));
let state = seed;
const random = (below) => {
  state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
  return (state >>> 0) % below;
};
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** So many ask at once that the server has some of them wait. */
async function got(path) {
  for (;;) {
    const answer = await plain.fetch(new URL(path, url));
    if (answer.ok) return answer;
    await answer.text();
    await pause(500);
  }
}

/** Which page runs, and whose: each person has a storage and a wire, as a browser would have, and one page after the other. */
const whose = new AsyncLocalStorage();
const plain = { fetch: globalThis.fetch, Request: globalThis.Request };
globalThis.Request = class extends plain.Request {
  constructor(input, init) {
    super(typeof input === "string" ? new URL(input, url) : input, init);
  }
};
globalThis.fetch = async (request, init) => {
  const page = whose.getStore();
  if (!page) return plain.fetch(request, init);
  const { person } = page;
  const isSave = request.method === "PUT";
  await pause(random(person.slow));
  if (person.isOffline) throw new TypeError("no connection");
  const response = await plain.fetch(request, init);
  if (isSave) for (const other of person.both()) setTimeout(() => other.run((document) => document.hurry()), random(other.slow));
  await pause(random(person.slow));
  // Nobody is there to hear it.
  if (!page.isOpen) return new Promise(() => undefined);
  if (person.isOffline || (person.losesAnswers && random(40) === 0)) throw new TypeError("the answer is lost");
  return response;
};
class Store {
  getItem(key) {
    return this[key] ?? null;
  }
  setItem(key, value) {
    this[key] = String(value);
  }
  removeItem(key) {
    delete this[key];
  }
}
for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(globalThis, name, {
    get() {
      const { person, isOpen } = whose.getStore();
      return isOpen ? person[name] : new Store();
    },
  });
}

// Of a browser it wants to know which tabs are open, and when this one is left.
globalThis.navigator ??= {};
globalThis.addEventListener = () => {};

/** The engine, built of the page's source. */
async function engine() {
  const ui = process.env.PAGE_UI;
  const { build } = await import(pathToFileURL(join(ui, "node_modules/vite/dist/node/index.js")).href);
  const outDir = join(process.cwd(), "engine");
  const parts = `export { SyncedDocument } from "/src/scribe/sync.ts"; export { apart } from "/src/scribe/changes.ts";
    export { ChangeSet, EditorState } from "@codemirror/state";`;
  const entry = join(ui, "src/engine-under-test.ts");
  await build({
    root: ui,
    configFile: false,
    logLevel: "error",
    plugins: [{ name: "parts", resolveId: (id) => (id === entry ? entry : null), load: (id) => (id === entry ? parts : null) }],
    ssr: { noExternal: true },
    build: { ssr: entry, outDir, emptyOutDir: true, rollupOptions: { output: { entryFileNames: "engine.mjs" } } },
  });
  return import(pathToFileURL(join(outDir, "engine.mjs")).href);
}

const { SyncedDocument, ChangeSet, EditorState, apart } = await engine();

// Ann and bob write in one place of a line, at once. Whichever page puts both together, even one that was read anew and
// does not know whose words stand there, comes to the same text.
for (const [line, ann, bob, both] of [
  ["Here bob wrote", " And ann sang.", " bread.", undefined],
  ["Here bob wro", " And ann sang.", "te bread.", "Here bob wrote bread. And ann sang."],
  ["Here bob wrote ", " And ann sang.", "bread.", "Here bob wrote bread. And ann sang."],
  ["Here bob wrote", "\n\nAnn sang.", " bread.", "Here bob wrote bread.\n\nAnn sang."],
]) {
  const put = (insert) => ChangeSet.of({ from: line.length, insert }, line.length);
  const seen = (mine, theirs) => apart(put(mine), put(theirs), line, []).theirs.apply(put(mine).apply(EditorState.create({ doc: line }).doc)).toString();
  if (both === undefined) assert.deepEqual([seen(ann, bob), seen(bob, ann)], [line + ann + bob, line + bob + ann], "what is typed here is seen first");
  else assert.deepEqual([seen(ann, bob), seen(bob, ann)], [both, both]);
}

/** What the engine uses of an editor: its state, and that it has the focus. */
class Editor {
  hasFocus = true;
  scrollDOM = { scrollTop: 0, clientHeight: 500 };
  constructor(text, noticed) {
    this.state = EditorState.create({ doc: text });
    this.noticed = noticed;
  }
  lineBlockAt() {
    return { top: 0 };
  }
  lineBlockAtHeight() {
    return { from: 0 };
  }
  requestMeasure() {}
  dispatch(change) {
    const transaction = this.state.update(change);
    this.state = transaction.state;
    const { docChanged, selection } = transaction;
    this.noticed({ docChanged, transactions: [transaction], state: this.state, selectionSet: selection !== undefined });
  }
}

class Person {
  state = "saved";
  isOffline = false;
  losesAnswers = true;
  slow = 20 + random(slowest);
  typed = 0;
  localStorage = new Store();
  sessionStorage = new Store();

  constructor(name, both, asset, etag) {
    this.name = name;
    this.both = both;
    this.open(asset, etag);
  }

  open(asset, etag) {
    const page = { person: this, isOpen: true };
    const listener = { saveState: ({ kind }) => page.isOpen && (this.state = kind), arrived() {}, merged() {}, gone() {} };
    this.page = page;
    this.state = "saved";
    whose.run(page, () => {
      const document = new SyncedDocument(asset.id, asset, etag, listener);
      this.document = document;
      this.editor = new Editor(document.doc, (update) => document.noticed(update));
      document.attach(this.editor);
    });
  }

  /** Reads the page anew: what it sends with its last breath arrives, and what comes back finds nobody. */
  async reload(path) {
    this.run((document) => document.saveNow());
    this.page.isOpen = false;
    this.document.stop();
    await pause(random(this.slow));
    const read = await got(path);
    const { asset } = await read.json();
    this.open(asset, read.headers.get("etag"));
  }

  run(act) {
    return whose.run(this.page, () => act(this.document));
  }

  get text() {
    return this.editor.state.doc.toString();
  }

  /** Goes to the end of some line and types there. */
  async type(phrase) {
    const { doc } = this.editor.state;
    const lines = Array.from({ length: doc.lines }, (_, at) => doc.line(at + 1)).filter(({ text }) => text.trim() !== "");
    this.editor.dispatch({ selection: { anchor: lines[random(lines.length)].to } });
    for (const letter of phrase) {
      const at = this.editor.state.selection.main.head;
      this.run(() => this.editor.dispatch({ changes: { from: at, insert: letter }, selection: { anchor: at + 1 } }));
      const kind = random(30);
      await pause(kind === 0 ? 900 + random(3_500) : kind < 4 ? random(700) : random(40));
    }
  }
}

async function write(nth) {
  const content = `# A storm\n\n${["amber", "salt", "rope"].map((what) => `The ship carried ${what}.`).join("\n\n")}\n`;
  const conversation = await createDocument(url, `Storm ${nth}`, content);
  const { session } = await (await fetch(new URL(`/api/chat/background-doc/${conversation}`, url))).json();
  const path = `/api/media-assets/${session.textAssetId}`;
  const read = await got(path);
  const { asset } = await read.json();
  const both = [];
  for (const name of ["ann", "bob"]) both.push(new Person(name, () => both, asset, read.headers.get("etag")));
  const words = [];
  const end = Date.now() + seconds * 1_000;
  const type = async (person) => {
    while (Date.now() < end) {
      const [one, other] = ["x", "y"].map((last) => `${person.name}${person.typed}${last}`);
      person.typed++;
      words.push(one, other);
      await person.type(random(4) === 0 ? `\n\nHere ${one} wrote ${other}.` : ` And ${one} told ${other}.`);
      await pause(random(1_500));
      if (reloads > 0 && random(reloads) === 0) await person.reload(path);
    }
  };
  const comeAndGo = async (person) => {
    while (Date.now() < end) {
      await pause(3_000 + random(5_000));
      person.isOffline = true;
      await pause(random(4_000));
      person.isOffline = false;
    }
  };
  const look = async () => {
    while (Date.now() < end) {
      await pause(1_000);
      for (const person of both) person.run((document) => document.hurry());
    }
  };
  const say = async () => {
    for (let turn = 1; Date.now() < end; turn++) {
      await recordTurn(url, conversation, turn);
      await pause(4_000 + random(3_000));
    }
  };
  await Promise.all([...both.map(type), comeAndGo(both[1]), look(), say()]);
  for (const person of both) Object.assign(person, { isOffline: false, losesAnswers: false, slow: 20 });
  const isSettled = () => both.every((person) => person.state === "saved" && !person.document.hasUnsaved) && both[0].text === both[1].text;
  const patience = Date.now() + 90_000;
  for (let quiet = 0; quiet < 3 && Date.now() < patience; quiet = isSettled() ? quiet + 1 : 0) {
    for (const person of both) person.run((document) => document.hurry());
    await pause(700);
  }
  const stored = (await (await got(path)).json()).asset.content;
  const beside = await (await got(`${path}/suggestions`)).text();
  for (const person of both) person.document.stop();
  const times = (word) => stored.split(word).length - 1;
  const absent = words.filter((word) => times(word) === 0);
  return {
    typed: words.length,
    same: both.every((person) => person.text.trimEnd() === stored.trimEnd()),
    missing: absent.filter((word) => !beside.includes(word)),
    beside: absent.filter((word) => beside.includes(word)),
    twice: words.filter((word) => times(word) > 1),
    stored,
  };
}

const told = await Promise.all(Array.from({ length: documents }, (_, nth) => write(nth)));
const all = (what) => told.flatMap((one) => one[what]);
tell({
  seed,
  typed: all("typed").reduce((sum, one) => sum + one, 0),
  others: told.filter(({ same }) => !same).length,
  missing: all("missing"),
  twice: all("twice"),
  beside: all("beside"),
  // For whoever looks for the cause.
  spoilt: told.filter(({ same, missing, twice }) => !same || missing.length > 0 || twice.length > 0).map(({ stored }) => stored),
});
// What waits for nothing any more.
process.exit(0);
