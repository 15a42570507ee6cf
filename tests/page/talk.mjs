// The chat by keyboard alone: an answer that is stopped, one that breaks off, one that is asked for again, a question in
// other words; then the document's title, style, copy and download. At last what a hasty person does with a mouse.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

import { shot, tell, url, violations, withBrowser } from "./browser.mjs";

// A chat that says what the script wants, as slowly as it likes. What it was asked is kept.
const asked = [];
let speaking;
let command;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const piece of request) body += piece;
  asked.push(JSON.parse(body));
  response.writeHead(200, { "content-type": "text/event-stream", ...(command ? { "x-scribe-command": command } : {}) });
  speaking?.({
    say: (text) => response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: text } }] })}\n\n`),
    end: () => response.end('data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'),
    cut: () => response.destroy(),
    left: new Promise((resolve) => response.on("close", resolve)),
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const nextAnswer = () => new Promise((resolve) => (speaking = resolve));

await withBrowser(async (open) => {
  const page = await open({
    tolerate: [/404/, /ERR_(EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|ABORTED)/],
    acceptDownloads: true,
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const scripted = (route) => route.continue({ url: `http://127.0.0.1:${server.address().port}/` });
  await page.route(/\/api\/agent-lore$/, scripted);
  const messages = page.getByRole("list", { name: "Chat" });
  const focusOn = async (name) => {
    for (let tries = 0; tries < 60; tries++) {
      const here = await page.evaluate(() => {
        const element = document.activeElement;
        return element?.getAttribute("aria-label") ?? element?.labels?.[0]?.firstChild.textContent ?? element?.textContent;
      });
      if (here === name) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`the keyboard does not reach ${name}`);
  };
  const say = async (words) => {
    const answer = nextAnswer();
    await focusOn("Your message");
    await page.keyboard.type(words);
    await page.keyboard.press("Enter");
    return answer;
  };

  // Each piece is seen before the next one is said.
  let answer = await say("Who keeps the lamp?");
  answer.say("Mar");
  await messages.getByText("Mar", { exact: true }).waitFor();
  answer.say("en.");
  await messages.getByText("Maren.").waitFor();
  await shot(page, "talk-streaming");
  answer.end();
  await page.getByRole("button", { name: "Send" }).waitFor();

  answer = await say("Since when?");
  answer.say("Since the");
  await messages.getByText("Since the").waitFor();
  await focusOn("Stop");
  await page.keyboard.press("Enter");
  await answer.left;
  await messages.getByText("Stopped.").waitFor();

  let again = nextAnswer();
  await focusOn("Answer again");
  await page.keyboard.press("Enter");
  answer = await again;
  answer.say("Since 412");
  await messages.getByText("Since 412").waitFor();
  answer.cut();
  await messages.getByText("broke off").waitFor();
  await shot(page, "talk-broken");
  tell({ view: "talk", violations: await violations(page) });

  again = nextAnswer();
  await focusOn("Edit");
  await page.keyboard.press("Enter");
  await focusOn("Edit your message");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Since which year?");
  await page.keyboard.press("Enter");
  answer = await again;
  answer.say("412, they say.");
  answer.end();
  await messages.getByText("412, they say.").waitFor();
  assert.equal(await messages.getByText("Since when?").count(), 0);

  // Whatever it is asked again, the turn keeps its name, and half answers are no part of what was said.
  const told = asked.map((request) => request.messages.map(({ role, content }) => `${role}: ${content}`).join(" | "));
  assert.deepEqual(told, [
    "user: Who keeps the lamp?",
    "user: Who keeps the lamp? | assistant: Maren. | user: Since when?",
    "user: Who keeps the lamp? | assistant: Maren. | user: Since when?",
    "user: Who keeps the lamp? | assistant: Maren. | user: Since which year?",
  ]);
  assert.equal(new Set(asked.slice(1).map((request) => request.messages.at(-1).id)).size, 1);

  // What was said is still there after a reload.
  await page.reload();
  await messages.getByText("412, they say.").waitFor();

  await page.unroute(/\/api\/agent-lore$/, scripted);
  await focusOn("Title");
  await page.keyboard.type("The Lamp");
  await page.keyboard.press("Enter");
  const title = page.getByLabel("The document’s title");
  await title.waitFor();

  await focusOn("The document’s title");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("The Lamp of Voss");
  await page.keyboard.press("Enter");
  await page.locator(".save[data-save=saved]").waitFor();
  await page.reload();
  await title.waitFor();
  assert.equal(await title.inputValue(), "The Lamp of Voss");

  await page.getByLabel("Style").selectOption("literary");
  await focusOn("More");
  await page.keyboard.press("Enter");
  await page.getByRole("menu").waitFor();
  await shot(page, "talk-menu");
  tell({ view: "menu", violations: await violations(page) });
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByText("Copied.").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^# The Lamp\n/);
  await focusOn("More");
  await page.keyboard.press("Enter");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "Download as Markdown" }).press("Enter"),
  ]);
  assert.match(download.suggestedFilename(), /\.md$/);
  assert.equal(await readFile(await download.path(), "utf8"), copied);

  // Whoever leaves a dialog is where they came from.
  await focusOn("Documents");
  await page.keyboard.press("Enter");
  await focusOn("Delete: The Lamp of Voss");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Cancel" }).waitFor();
  const focused = (name) => page.waitForFunction((name) => (document.activeElement.ariaLabel ?? document.activeElement.textContent) === name, name);
  await focused("Cancel");
  await page.keyboard.press("Escape");
  await focused("Delete: The Lamp of Voss");
  await page.keyboard.press("Escape");
  await focused("Documents");

  // A double click sends, and does not stop what it sent.
  await page.getByRole("button", { name: "New conversation" }).click();
  await messages.getByText("Nothing was said yet.").waitFor();
  await page.route(/\/api\/agent-lore$/, scripted);
  await page.getByLabel("Your message").fill("Start the scribe");
  const conversation = new URL(page.url()).searchParams.get("conversation");
  again = nextAnswer();
  const begun = await fetch(new URL("/api/chat/background-doc/start", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ conversationId: conversation, title: "The Mill" }),
  });
  assert.equal(begun.status, 201, await begun.text());
  command = "started";
  await page.getByRole("button", { name: "Send" }).dblclick();
  answer = await again;
  answer.say("It is on");
  await messages.getByText("It is on").waitFor();
  // What a command has done is seen at once, however long the answer takes.
  await title.waitFor();
  assert.equal(await title.inputValue(), "The Mill");
  // Who goes elsewhere meanwhile finds what was said.
  await page.getByRole("button", { name: "New conversation" }).click();
  await answer.left;
  await page.goBack();
  await messages.getByText("It is on").waitFor();
  await messages.getByText("Stopped.").waitFor();
  await messages.getByText("The scribe is on.").waitFor();
});
server.closeAllConnections();
server.close();
