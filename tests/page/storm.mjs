// Ann and Bob type wherever they like, at the same time, while the scribe writes and Bob's connection comes and goes.
// Tells which of their words are missing at the end, and which stand twice.

import { tell, url, withBrowser } from "./browser.mjs";
import { createDocument, recordTurn } from "./documents.mjs";

const seed = Number(process.env.STORM_SEED ?? Math.floor(Math.random() * 1e9));
const seconds = Number(process.env.STORM_SECONDS ?? 20);
// A generator that is seeded, so that a run can be seen again as far as two browsers allow.
let state = seed;
const random = (below) => {
  state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
  return (state >>> 0) % below;
};

const content = `# A storm\n\n${["amber", "salt", "rope", "silk", "iron", "wool"].map((what) => `The ship carried ${what}.`).join("\n\n")}\n`;
const conversation = await createDocument(url, "A storm", content);
const words = [];

await withBrowser(async (open) => {
  // A save that somebody was faster than is put together anew.
  const tolerate = [/ERR_INTERNET_DISCONNECTED/, /ERR_NETWORK_CHANGED/, /status of 412/];
  const path = `/?conversation=${conversation}`;
  const people = [];
  for (const name of ["ann", "bob"]) {
    const page = await open({ path, tolerate });
    await page.getByLabel("The document, in Markdown").waitFor();
    people.push({ name, page, typed: 0 });
  }
  const end = Date.now() + seconds * 1000;
  const type = async (person) => {
    const { page, name } = person;
    // On a busy machine it takes longer.
    while (Date.now() < end || person.typed < 5) {
      const word = `${name}${person.typed++}x`;
      const isNew = random(4) === 0;
      // The end of some line that is not empty, wherever that is now.
      const chosen = random(1000);
      await page.getByLabel("The document, in Markdown").evaluate((element, chosen) => {
        const view = element.cmTile.root.view;
        const lines = Array.from({ length: view.state.doc.lines }, (_, at) => view.state.doc.line(at + 1)).filter(({ text }) => text.trim() !== "");
        view.focus();
        view.dispatch({ selection: { anchor: lines[chosen % lines.length].to } });
      }, chosen);
      words.push(word);
      await page.keyboard.type(isNew ? `\n\nHere ${name} wrote ${word}.` : ` And ${word}.`, { delay: 5 + random(20) });
      await page.waitForTimeout(random(700));
    }
  };
  const comeAndGo = async ({ page }) => {
    while (Date.now() < end) {
      await page.waitForTimeout(1500 + random(2000));
      await page.context().setOffline(true);
      await page.waitForTimeout(random(2500));
      await page.context().setOffline(false);
    }
  };
  const say = async ({ page }) => {
    for (let nth = 1; Date.now() < end; nth++) {
      await recordTurn(url, conversation, nth);
      await page.waitForTimeout(1200 + random(1000));
    }
  };
  await Promise.all([...people.map(type), comeAndGo(people[1]), say(people[0])]);
  await people[1].page.context().setOffline(false);
  const texts = async () =>
    Promise.all(people.map(({ page }) => page.getByLabel("The document, in Markdown").evaluate((element) => element.cmTile.root.view.state.doc.toString())));
  const isSettled = async () => {
    const saved = await Promise.all(people.map(({ page }) => page.locator(".save").getAttribute("data-save")));
    const [one, other] = await texts();
    return saved.every((state) => state === "saved") && one === other;
  };
  const patience = Date.now() + 90_000;
  while (!(await isSettled()) && Date.now() < patience) await people[0].page.waitForTimeout(300);
  const [one, other] = await texts();
  const asset = await (await fetch(new URL(`/api/chat/background-doc/${conversation}`, url))).json();
  const base = new URL(`/api/media-assets/${asset.session.textAssetId}/`, url);
  const stored = (await (await fetch(new URL(base.href.slice(0, -1)))).json()).asset.content;
  const beside = JSON.stringify(await (await fetch(new URL("suggestions", base))).json());
  const count = (word) => stored.split(word).length - 1;
  tell({
    seed,
    typed: words.length,
    same: one === other && one.trimEnd() === stored.trimEnd(),
    missing: words.filter((word) => count(word) === 0 && !beside.includes(word)),
    beside: words.filter((word) => count(word) === 0 && beside.includes(word)).length,
    twice: words.filter((word) => count(word) > 1),
    // For whoever looks for the cause.
    content: process.env.STORM_SHOW ? stored : undefined,
  });
});
