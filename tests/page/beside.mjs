// What is being written, and suggestions, stand beside their blocks, and the line with the caret stays where it is. The
// events come from a server of this script, so that a draft grows as slowly as it is looked at.

import assert from "node:assert/strict";
import { createServer } from "node:http";

import { shot, tell, url, violations, windows, withBrowser } from "./browser.mjs";
import { createDocument } from "./documents.mjs";

const sections = ["Amber", "Salt", "Rope"].map((what) => `## ${what}\n\nThe ship carried ${what.toLowerCase()}.\n\nIt came from afar.`);
const conversation = await createDocument(url, "The Cargo", `# The Cargo\n\n${sections.join("\n\n")}\n`);
const real = await (await fetch(new URL(`/api/chat/background-doc/${conversation}`, url))).json();
const path = `/api/media-assets/${real.session.textAssetId}`;
const { blocks } = await (await fetch(new URL(`${path}/blocks`, url))).json();
assert.deepEqual(
  blocks.map(({ firstLine, lastLine }) => [firstLine, lastLine]),
  [1, 3, 5, 7, 9, 11, 13, 15, 17, 19].map((line) => [line, line]),
);
const idOf = (line) => blocks.find(({ firstLine }) => firstLine === line).id;

// Two wrote the same words at once: one of the wordings is a suggestion.
const read = await fetch(new URL(path, url));
const { content } = (await read.json()).asset;
const save = (text) =>
  fetch(new URL(path, url), {
    method: "PUT",
    headers: { "content-type": "application/json", "if-match": read.headers.get("etag") },
    body: JSON.stringify({ content: text }),
  });
await save(content.replace("carried salt", "brought pepper"));
await save(content.replace("carried salt", "lost sugar"));

const streams = new Set();
const server = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  streams.add(response);
  tellOne(response, "state", state);
});
const tellOne = (stream, event, data) => stream.write(`event: ${event}\nid: 1\ndata: ${JSON.stringify(data)}\n\n`);
const event = (name, data) => {
  for (const stream of streams) tellOne(stream, name, data);
};
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const now = Date.now();
const turn = { messageId: "m1", seq: now * 1000, state: "processing", attempts: 1, late: false, times: { recorded: now, claimed: now } };
const state = { ...real, etag: null, turns: [turn], complete: true };

/** The texts of the editor, line for line, with what stands between them. */
const shown = (page) =>
  page
    .getByLabel("The document, in Markdown")
    .evaluate((element) => [...element.children].map((child) => (child.classList.contains("between") ? `<${child.innerText}>` : child.textContent)));

await withBrowser(async (open) => {
  for (const [name, options] of [
    ["wide-light", {}],
    ["narrow-dark", { viewport: windows.narrow, colorScheme: "dark" }],
  ]) {
    const page = await open({ ...options, tolerate: [/404/] });
    await page.route(/\/events$/, (route) => route.continue({ url: `http://127.0.0.1:${server.address().port}/` }));
    await page.goto(new URL(`/?conversation=${conversation}`, url).href);
    if (name.startsWith("narrow")) await page.getByRole("tab", { name: "Scribe", exact: true }).click();
    const editor = page.getByLabel("The document, in Markdown");
    const suggestion = editor.getByRole("group", { name: "Suggestion" });
    await suggestion.getByText("brought pepper").waitFor();
    const lines = await shown(page);
    const at = lines.findIndex((line) => line.startsWith("<"));
    assert.match(lines[at - 1], /lost sugar/, "it stands below its block");
    assert.match(lines[at], /brought pepper/);
    await page.getByRole("button", { name: "Show in the text" }).click();
    assert.equal(await page.evaluate(() => document.activeElement.closest(".between") !== null), true, "it has the focus");
    await shot(page, `beside-suggestion-${name}`);
    tell({ view: `suggestion-${name}`, violations: await violations(page) });

    // The caret in the last line; a draft grows above it, is replaced by another one, and goes.
    await editor.getByText("The ship carried rope.").click();
    await page.keyboard.press("End");
    const caret = () => page.locator(".cm-cursor-primary").evaluate((element) => element.getBoundingClientRect().top);
    await page.waitForFunction(() => document.querySelector(".cm-cursor-primary"));
    const before = await caret();
    const draft = { v: 1, messageId: "m1", etag: null, attempt: 1, claimed: now, cut: false };
    const edits = (words, more) => [
      { action: "append", block: idOf(3), markdown: `The amber ${words}` },
      { action: "replace", block: idOf(17), markdown: `The rope ${words}` },
      ...more,
    ];
    let number = 1;
    const moved = [];
    for (const words of ["is old.", "is old, and the ship is older; nobody remembers who built it.", `is old.${" It was found in the sea by those who looked for salt.".repeat(8)}`]) {
      event("writing", { ...draft, number: number++, edits: edits(words, []) });
      await editor.getByText(`The amber ${words}`).waitFor();
      moved.push((await caret()) - before);
    }
    await shot(page, `beside-drafts-${name}`);
    tell({ view: `drafts-${name}`, violations: await violations(page) });
    const written = await shown(page);
    const draftAt = written.findIndex((line) => line.includes("The amber is old."));
    assert.deepEqual([written[draftAt - 1], written[draftAt + 2]], ["It came from afar.", "## Salt"], "it ends its section");
    const replaced = written.findIndex((line) => line.includes("The rope is old."));
    assert.match(written[replaced - 1], /^The ship carried rope\./);
    assert.match(written[replaced], /in place of this/);
    // What is typed goes into the line, and not into what stands beside it.
    await page.keyboard.type(" Truly.");
    assert.ok((await shown(page)).includes("The ship carried rope. Truly."));
    event("withdrawn", { messageId: "m1", claimed: now });
    await editor.getByText("The amber is old").waitFor({ state: "detached" });
    moved.push((await caret()) - before);
    tell({ moved });
    await page.keyboard.press("Control+z");
    // Decided on by keyboard: the caret is in the text again.
    if (name.startsWith("narrow")) {
      await suggestion.getByRole("button", { name: "Compare" }).focus();
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog");
      await dialog.getByRole("button", { name: "Dismiss" }).focus();
      await page.keyboard.press("Enter");
      await suggestion.waitFor({ state: "detached" });
      await page.waitForFunction(() => document.activeElement.classList.contains("cm-content"));
    }
    await page.context().close();
  }
});
server.closeAllConnections();
server.close();
