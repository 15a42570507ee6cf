// Ann and Bob on one document while the scribe writes: start, chat, watch it grow, edit at the same time, disagree,
// decide, look back, restore, stop; and Bob loses his connection and comes back.

import assert from "node:assert/strict";

import { shot, tell, violations, windows, withBrowser } from "./browser.mjs";

// Whoever comes by an address asks for a scribe that may not be there, and who is offline asks in vain for everything.
// A save that somebody was faster than is put together anew.
const tolerate = [/404 .*\/events/, /ERR_INTERNET_DISCONNECTED/, /status of 412/];
const conversation = crypto.randomUUID();
const path = `/?conversation=${conversation}`;

const editorOf = (page) => page.getByLabel("The document, in Markdown");
// All of it: the editor's lines in the page are those in sight.
const textOf = (page) => editorOf(page).evaluate((content) => content.cmTile.root.view.state.doc.toString());
const statusOf = (page) => page.locator(".status").getAttribute("data-status");

/** Waits until something holds; says what was there instead. */
async function until(what, look, holds) {
  let seen;
  for (const begun = Date.now(); Date.now() - begun < 60_000; await new Promise((resolve) => setTimeout(resolve, 50))) {
    seen = await look();
    if (holds(seen)) return seen;
  }
  assert.fail(`${what}; there is ${JSON.stringify(seen)}`);
}

const untilText = (page, what, holds) => until(what, () => textOf(page), holds);
const untilSaved = (page) => until("it is saved", () => page.locator(".save").getAttribute("data-save"), (state) => state === "saved");

async function say(page, words) {
  const message = page.getByLabel("Your message");
  await message.fill(words);
  await message.press("Enter");
  await page.getByRole("button", { name: "Send" }).waitFor();
}

async function typeAt(page, end, words) {
  await editorOf(page).focus();
  await page.keyboard.press(end ? "Control+End" : "Control+Home");
  if (!end) await page.keyboard.press("End");
  await page.keyboard.type(words, { delay: 15 });
}

/** Writes another word for the last one of the document. */
async function changeLastWord(page, word) {
  await editorOf(page).focus();
  await page.keyboard.press("Control+End");
  await page.keyboard.press("Control+Shift+ArrowLeft");
  await page.keyboard.press("Control+Shift+ArrowLeft");
  await page.keyboard.type(word, { delay: 15 });
}

async function seen(page, name) {
  await shot(page, name);
  tell({ view: name, violations: await violations(page) });
}

await withBrowser(async (open) => {
  const ann = await open({ path, tolerate });
  await until("there is no scribe yet", () => statusOf(ann), (status) => status === "none");
  await say(ann, "Start the scribe, call it The Ferry.");
  await until("the scribe listens", () => statusOf(ann), (status) => status === "listening");
  assert.equal(await ann.getByLabel("The document’s title").inputValue(), "The Ferry");

  const bob = await open({ path, tolerate, viewport: windows.narrow, colorScheme: "dark" });
  await bob.getByRole("tab", { name: "Scribe", exact: true }).click();
  await editorOf(bob).waitFor();

  // It grows under both of their eyes.
  await ann.evaluate(() => {
    globalThis.appeared = {};
    new MutationObserver(() => {
      const text = document.querySelector(".cm-content")?.textContent ?? "";
      for (const word of text.match(/Milestone-\d+/g) ?? []) globalThis.appeared[word] ??= Date.now();
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  for (let nth = 1; nth <= 7; nth++) {
    await say(ann, `The ferry of Anselm left pier ${nth} of Lowmere at dawn, as Milestone-${nth} tells.`);
    await untilText(ann, `turn ${nth} is shown`, (text) => text.includes(`Milestone-${nth} tells`));
  }
  await untilText(bob, "Bob sees it too", (text) => text.includes("Milestone-7 tells"));
  const listed = await ann.evaluate(async (id) => (await fetch(`/api/chat/background-doc/${id}/turns`)).json(), conversation);
  const appeared = await ann.evaluate(() => globalThis.appeared);
  const delays = listed.turns.map((turn, at) => appeared[`Milestone-${at + 1}`] - turn.times.finished).sort((a, b) => a - b);
  tell({ delays, median: delays[Math.floor(delays.length / 2)] });
  assert.equal(await statusOf(ann), "upToDate");
  await seen(ann, "grown-wide-light");
  await seen(bob, "grown-narrow-dark");

  // Ann stands in the middle of a word while Bob writes above and the scribe below: she stays there.
  const caretOf = (page) => page.evaluate(() => {
    const { anchorNode, anchorOffset } = getSelection();
    return anchorNode.textContent.slice(0, anchorOffset).slice(-12);
  });
  await editorOf(ann).getByText("Milestone-3").click();
  const caret = await caretOf(ann);
  const place = () => editorOf(ann).getByText("Milestone-3").boundingBox();
  const before = await place();
  await typeAt(bob, false, "\n\nBob begins with the weather.");
  await untilText(ann, "Bob's line is shown", (text) => text.includes("begins with the weather."));
  assert.equal(await caretOf(ann), caret);
  await untilSaved(bob);
  tell({ moved: (await place()).y - before.y });

  // Ann types in a block that Bob changes: as long as she types, nothing comes into it.
  const typing = typeAt(ann, true, " And so it went on, day after day, until the river froze and the ferry lay still in the ice.");
  await editorOf(bob).getByText("Milestone-7").click();
  await bob.keyboard.press("Home");
  await bob.keyboard.type("Truly, ", { delay: 15 });
  const line = () => editorOf(ann).locator(".cm-line").last().textContent();
  let jumps = 0;
  let isTyping = true;
  const watching = (async () => {
    while (isTyping) if ((await line()).startsWith("Truly")) jumps += 1;
  })();
  await typing;
  isTyping = false;
  await watching;
  assert.equal(jumps, 0, "the block changed under her hands");
  const line7 = /^Truly, The ferry of Anselm left pier 7 of Lowmere at dawn, as Milestone-7 tells\. And so it went on, day after day, until the river froze and the ferry lay still in the ice\.$/m;
  const both = (text) => line7.test(text);
  await untilText(ann, "then it has the words of both", both);
  await untilText(bob, "for Bob too", both);

  // Both write while the scribe does.
  await Promise.all([
    typeAt(ann, true, "\n\nAnn adds at the end that the fare was two coins."),
    typeAt(bob, false, "\n\nBob adds at the beginning that it rained."),
  ]);
  await say(ann, "The captain of the ferry was Ottilie, as Milestone-8 tells.");
  const all = ["the fare was two coins.", "that it rained.", "Milestone-8 tells", "Milestone-1 tells"];
  const hasAll = (text) => all.every((words) => text.split(words).length === 2);
  await untilText(ann, "Ann has what all wrote, once", hasAll);
  await untilText(bob, "Bob has what all wrote, once", hasAll);
  await Promise.all([untilSaved(ann), untilSaved(bob)]);
  assert.equal(await textOf(ann), await textOf(bob));

  // Bob goes on without a connection, and both write another last word.
  await bob.context().setOffline(true);
  await until("Bob sees that he is offline", () => statusOf(bob), (status) => status === "offline");
  await changeLastWord(bob, "sinks.");
  await until("it is kept", () => bob.locator(".save").getAttribute("data-save"), (state) => state === "offline");
  await seen(bob, "offline-narrow-dark");
  await changeLastWord(ann, "floats.");
  await untilSaved(ann);
  await bob.context().setOffline(false);
  await until("Bob is back", () => statusOf(bob), (status) => status === "upToDate");
  await untilSaved(bob);
  await untilText(bob, "his words stand", (text) => text.includes("Milestone-8 sinks."));
  await untilText(ann, "and Ann sees them", (text) => text.includes("Milestone-8 sinks."));
  await ann.getByRole("button", { name: "Accept" }).waitFor();
  await seen(ann, "suggestion-wide-light");
  await ann.getByRole("button", { name: "Compare" }).click();
  await ann.getByRole("dialog").locator(".cm-content").waitFor();
  await seen(ann, "compare-wide-light");
  await ann.getByRole("dialog").getByRole("button", { name: "Accept" }).click();
  await untilText(ann, "it is accepted", (text) => text.includes("Milestone-8 floats."));
  await untilText(bob, "for Bob too", (text) => text.includes("Milestone-8 floats."));

  // What is typed survives a reload that leaves no time to save it.
  await bob.context().setOffline(true);
  await typeAt(bob, true, "\n\nBob typed this on the train.");
  await until("it is kept", () => bob.locator(".save").getAttribute("data-save"), (state) => state === "offline");
  await bob.context().setOffline(false);
  await bob.reload();
  await bob.getByRole("tab", { name: "Scribe", exact: true }).click();
  await untilText(bob, "it is there again", (text) => text.includes("on the train."));
  await untilText(ann, "and gets to Ann", (text) => text.includes("on the train."));

  // A look back, and the way back.
  await ann.getByRole("tab", { name: "History" }).click();
  const versions = ann.getByRole("navigation", { name: "Versions" }).getByRole("button");
  await versions.first().waitFor();
  await versions.nth(2).click();
  await ann.getByRole("button", { name: "Restore this version" }).waitFor();
  await seen(ann, "history-wide-light");
  await ann.getByRole("button", { name: "Restore this version" }).click();
  await ann.getByRole("tab", { name: "Write" }).click();
  await untilText(ann, "it is restored", (text) => !text.includes("on the train."));
  await untilText(bob, "for Bob too", (text) => !text.includes("on the train."));

  await ann.getByRole("tab", { name: "Read" }).click();
  await ann.locator(".reading h1").waitFor();
  await seen(ann, "read-wide-light");
  await ann.getByRole("tab", { name: "Write" }).click();

  // Off, by the switch.
  await ann.getByRole("switch", { name: "The scribe writes" }).click();
  await until("it is off", () => statusOf(ann), (status) => status === "off");
  await until("Bob sees it", () => statusOf(bob), (status) => status === "off");

  await ann.getByRole("button", { name: "Documents" }).click();
  await ann.getByRole("dialog").getByText("The Ferry").first().waitFor();
  await seen(ann, "documents-wide-light");
  await ann.getByRole("button", { name: "Continue in a new chat" }).first().click();
  await until("it is another conversation", () => ann.url(), (url) => !url.includes(conversation));
  await untilText(ann, "with the same document", (text) => text.includes("Milestone-1 tells"));
});
