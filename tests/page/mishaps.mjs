// What goes wrong for people who do no wrong: a document that is deleted while it is open, a title that others change
// while somebody looks at it or writes another one, a paragraph that somebody moves while another types in it, more than
// one tab, a browser that keeps nothing, an address that was cut, a window that is made narrower, a save that is refused.

import assert from "node:assert/strict";

import { shot, tell, url, violations, windows, withBrowser } from "./browser.mjs";
import { createDocument } from "./documents.mjs";

const asset = async (conversation) => {
  const { session } = await (await fetch(new URL(`/api/chat/background-doc/${conversation}`, url))).json();
  const read = await fetch(new URL(`/api/media-assets/${session.textAssetId}`, url));
  return { ...(await read.json()).asset, etag: read.headers.get("etag") };
};
const until = async (what, look) => {
  const patience = Date.now() + 30_000;
  while (!(await look())) {
    assert.ok(Date.now() < patience, what);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};
/** Another program's save. */
const put = async (conversation, change) => {
  const { id, etag, content } = await asset(conversation);
  const saved = await fetch(new URL(`/api/media-assets/${id}`, url), {
    method: "PUT",
    headers: { "content-type": "application/json", "if-match": etag },
    body: JSON.stringify(change(content)),
  });
  assert.equal(saved.status, 200, await saved.text());
};
const editorOf = (page) => page.getByLabel("The document, in Markdown");
const textOf = (page) => editorOf(page).evaluate((element) => element.cmTile.root.view.state.doc.toString());

await withBrowser(async (open) => {
  // Somebody looks at the title while another one changes it: neither the look nor the way out of it undoes that.
  const ferry = await createDocument(url, "The Ferry", "# The Ferry\n\nIt crosses at dawn.\n");
  const page = await open({ path: `/?conversation=${ferry}`, tolerate: [/404/, /410/, /status of 4(12|13|22)/] });
  const title = page.getByLabel("The document’s title");
  await title.click();
  await put(ferry, () => ({ title: "The Night Ferry" }));
  await page.waitForFunction(() => document.querySelector(".save")?.dataset.save === "saved");
  await page.keyboard.press("Tab");
  await until("the other's title is shown", async () => (await title.inputValue()) === "The Night Ferry");
  assert.equal((await asset(ferry)).title, "The Night Ferry");
  // Two name it at once: each is told, whoever was first.
  await title.fill("The Slow Ferry");
  await put(ferry, (content) => ({ title: "The Day Ferry", content: `${content}\nBy day.\n` }));
  await editorOf(page).getByText("By day.").waitFor();
  await title.press("Enter");
  await page.getByText("Somebody else had just called it “The Day Ferry”. Your title stands.").waitFor();
  await until("this one's title is kept", async () => (await asset(ferry)).title === "The Slow Ferry");
  await put(ferry, () => ({ title: "The Night Ferry" }));
  await page.getByText("Somebody else has called it “The Night Ferry”.").waitFor();
  assert.equal(await title.inputValue(), "The Night Ferry");

  // What nobody sees is no part of a title; one that is refused stays, to be written otherwise.
  await title.fill("The\u200b Fog\u202e Ferry");
  await title.press("Enter");
  await until("it is kept", async () => (await asset(ferry)).title === "The Fog Ferry");
  const isSave = /\/api\/media-assets\/[^/]+$/;
  const refuseTitle = (route) => (route.request().method() === "PUT" ? route.fulfill({ status: 422, json: { error: { code: "invalid", message: "title: must be kind" } } }) : route.fallback());
  await page.route(isSave, refuseTitle);
  await title.fill("The Damned Ferry");
  await title.press("Enter");
  await page.getByText("Not saved: Title: must be kind. Your text is kept here.").waitFor();
  assert.equal(await title.inputValue(), "The Damned Ferry");
  await page.unroute(isSave, refuseTitle);
  await title.fill("The Night Ferry");
  await title.press("Enter");
  await until("the kinder one is kept", async () => (await asset(ferry)).title === "The Night Ferry");

  // Read anew at once behind a word: the page's last breath saves it, and nobody hears the answer.
  for (const word of ["Lanterns", "Ropes", "Oars"]) {
    await editorOf(page).getByText("It crosses at dawn.").click();
    await page.keyboard.press("End");
    await page.keyboard.type(` ${word}.`);
    await page.waitForFunction(() => Object.keys(localStorage).some((key) => key.startsWith("scribe.unsaved.")));
    await page.reload();
    await editorOf(page).getByText(word).waitFor();
    await until("it is saved", async () => (await asset(ferry)).content.includes(word));
    await page.waitForFunction(() => document.querySelector(".save")?.dataset.save === "saved");
    for (const text of [await textOf(page), (await asset(ferry)).content]) assert.equal(text.split(word).length, 2, `${word} once: ${text}`);
  }

  // What the server will not take is said once, stays where it is, and is taken when it is shorter.
  await editorOf(page).getByText("It crosses at dawn.").click();
  await page.keyboard.press("End");
  await page.route(/\/api\/media-assets\/[^/]+$/, (route) =>
    route.request().method() === "PUT"
      ? route.fulfill({ status: 413, json: { error: { code: "document_too_large", message: "content has more than 1048576 bytes; split the document" } } })
      : route.fallback(),
  );
  await page.keyboard.type(" And at dusk.");
  const save = page.locator(".save");
  await page.waitForFunction(() => document.querySelector(".save")?.dataset.save === "failed");
  assert.match(await save.textContent(), /^Not saved: Content has more than 1048576 bytes; split the document\. Your text is kept here\.$/);
  await shot(page, "refused");
  tell({ view: "refused", violations: await violations(page) });
  assert.match(await textOf(page), /And at dusk\./);
  // A proxy's answer says nothing of its own.
  await page.unroute(/\/api\/media-assets\/[^/]+$/);
  await page.route(/\/api\/media-assets\/[^/]+$/, (route) =>
    route.request().method() === "PUT" ? route.fulfill({ status: 413, body: "<h1>Too large</h1>" }) : route.fallback(),
  );
  await page.keyboard.type(" Always.");
  await page.getByText("Not saved: This is more than the server takes at once. Make it shorter.").waitFor();
  await page.unroute(/\/api\/media-assets\/[^/]+$/);
  await page.keyboard.type(" Twice.");
  await until("it is saved", async () => (await asset(ferry)).content.includes("And at dusk. Always. Twice."));

  // Another one deletes it. The text stays to be read, and comes back.
  const other = await open({ tolerate: [/404/, /410/] });
  await other.getByRole("button", { name: "Documents" }).click();
  const row = other.getByRole("dialog").getByRole("listitem").filter({ hasText: "The Night Ferry" });
  await row.getByRole("button", { name: "Delete" }).click();
  await other.getByRole("dialog", { name: "Delete “The Night Ferry”?" }).getByRole("button", { name: "Delete" }).click();
  await row.waitFor({ state: "detached" });
  await page.getByText("The document was deleted. What stands here can be copied").waitFor();
  assert.match(await textOf(page), /And at dusk\. Always\. Twice\./);
  await shot(page, "deleted");
  tell({ view: "deleted", violations: await violations(page) });
  // Opened anew there is no text, but the way back.
  await page.reload();
  await page.getByText("This conversation’s document was deleted.").waitFor();
  assert.equal(await page.getByRole("button", { name: "Start the scribe" }).count(), 0);
  tell({ view: "deleted-before", violations: await violations(page) });
  await page.getByRole("button", { name: "Bring it back" }).click();
  await until("it is another conversation", async () => !page.url().includes(ferry));
  await editorOf(page).getByText("And at dusk. Always. Twice.").waitFor();
  await page.locator(".status[data-status=listening], .status[data-status=upToDate]").waitFor();

  // Somebody cuts a paragraph out while another one changes it: it stays, and that it goes is suggested to both.
  const mill = await createDocument(url, "The Mill", "# The Mill\n\nIt grinds rye.\n\nIt stands on a hill.\n");
  const typist = await open({ path: `/?conversation=${mill}`, tolerate: [/404/, /412/] });
  const reader = await open({ path: `/?conversation=${mill}`, tolerate: [/404/] });
  await Promise.all([reader.waitForResponse(/\/suggestions$/), reader.reload()]);
  await editorOf(reader).getByText("It grinds rye.").waitFor();
  await editorOf(typist).getByText("It grinds rye.").click();
  await typist.keyboard.press("End");
  await typist.keyboard.type(" And oats.");
  await put(mill, (content) => ({ content: content.replace("It grinds rye.\n\n", "") }));
  const removal = editorOf(typist).getByRole("group", { name: "Suggestion" });
  await removal.getByText("Somebody suggests to take this out:").waitFor();
  await typist.getByText("Your text stands. Others wrote there too: see the suggestion.").waitFor();
  await reader.getByText("There is a new suggestion beside the text.").waitFor();
  await put(mill, (content) => ({ content: `${content}\nIt grinds rye.\n` }));
  await editorOf(typist).getByText("It grinds rye.", { exact: true }).waitFor();
  await removal.getByRole("button", { name: "Accept" }).click();
  await until("it stands once", async () => (await asset(mill)).content === "# The Mill\n\nIt stands on a hill.\n\nIt grinds rye.\n");

  // Three tabs of one browser, the second made from the first, while nothing can be saved. What is typed in one is not
  // another one's until that tab is closed, however long ago it was typed.
  const loft = await createDocument(url, "The Loft", "# The Loft\n\nIt is dry.\n");
  const first = await open({ path: `/?conversation=${loft}`, tolerate: [/503/, /404/] });
  const browser = first.context();
  const refuse = (route) => (route.request().method() === "PUT" ? route.fulfill({ status: 503, json: { error: { code: "x", message: "later" } } }) : route.fallback());
  await browser.route(isSave, refuse);
  await editorOf(first).getByText("It is dry.").click();
  await first.keyboard.press("End");
  await first.keyboard.type(" Swallows nest in it.");
  await first.waitForFunction(() => document.querySelector(".save")?.dataset.save === "failed");
  await first.evaluate(() => {
    for (const [key, kept] of Object.entries(localStorage).filter(([key]) => /^scribe\.unsaved\.[^.]+\.[^.]+$/.test(key))) {
      localStorage.setItem(key, JSON.stringify({ ...JSON.parse(kept), at: Date.now() - 600_000 }));
    }
  });
  const opening = browser.waitForEvent("page");
  await first.evaluate(() => void window.open(location.href));
  for (const next of [await opening, await browser.newPage()]) {
    await next.goto(new URL(`/?conversation=${loft}`, url).href);
    await editorOf(next).getByText("It is dry.").waitFor();
    assert.doesNotMatch(await textOf(next), /Swallows/);
    await next.close();
  }
  await first.close();
  const heir = await browser.newPage();
  await heir.goto(new URL(`/?conversation=${loft}`, url).href);
  await heir.getByText("What you had typed before is here again.").waitFor();
  await browser.unroute(isSave);
  await until("it is saved", async () => (await asset(loft)).content === "# The Loft\n\nIt is dry. Swallows nest in it.\n");

  // A browser that keeps nothing for pages.
  const closed = await open({ tolerate: [/404/] });
  await closed.addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(globalThis, name, {
        get() {
          throw new DOMException("closed", "SecurityError");
        },
      });
    }
  });
  const lamp = await createDocument(url, "The Lamp", "# The Lamp\n\nMaren keeps it.\n");
  await closed.goto(new URL(`/?conversation=${lamp}`, url).href);
  await editorOf(closed).getByText("Maren keeps it.").click();
  await closed.keyboard.press("End");
  await closed.keyboard.type(" She sings.");
  await until("it is saved all the same", async () => (await asset(lamp)).content.includes("Maren keeps it. She sings."));

  // A browser that has no room left, and no connection: what is typed is said to be nowhere else.
  const full = await open({ path: `/?conversation=${lamp}`, tolerate: [/404/, /ERR_INTERNET_DISCONNECTED/] });
  await editorOf(full).getByText("Maren keeps it.").click();
  await full.evaluate(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  });
  await full.context().setOffline(true);
  await full.keyboard.press("End");
  await full.keyboard.type(" Loudly.");
  await full.getByText("Offline, and this browser’s storage is full. Keep this page open.").waitFor();
  const question = full.waitForEvent("dialog");
  const closing = full.close({ runBeforeUnload: true });
  const asked = await question;
  assert.equal(asked.type(), "beforeunload");
  await asked.dismiss();
  await closing;
  await full.context().setOffline(false);
  await until("it is saved", async () => (await asset(lamp)).content.includes("Loudly."));

  // An address that is none, and one that another program cut.
  const lost = await open({ path: "/?conversation=..%2F..%2Fetc", tolerate: [/404/] });
  await lost.getByText("Nothing was said yet.").waitFor();
  assert.match(lost.url(), /\?conversation=[0-9a-f-]{36}$/);

  // What is being written to the chat, and in the document, is there when the window was made narrower.
  const narrower = await open({ path: `/?conversation=${lamp}`, tolerate: [/404/] });
  await editorOf(narrower).getByText("Maren keeps it.").waitFor();
  await narrower.getByLabel("Your message").fill("Who sings");
  await narrower.setViewportSize(windows.narrow);
  assert.equal(await narrower.getByLabel("Your message").inputValue(), "Who sings");
  await narrower.getByRole("tab", { name: "Scribe", exact: true }).click();
  assert.match(await textOf(narrower), /She sings\./);
});
