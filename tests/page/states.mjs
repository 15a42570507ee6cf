// How the scribe stands, at a glance. The events come from a server of this script, so that each state stays as long as
// it is looked at.

import assert from "node:assert/strict";
import { createServer } from "node:http";

import { shot, tell, url, violations, withBrowser } from "./browser.mjs";
import { createDocument } from "./documents.mjs";

const conversation = await createDocument(url, "The Lamp", "# The Lamp\n\nMaren keeps it.\n");
const real = await (await fetch(new URL(`/api/chat/background-doc/${conversation}`, url))).json();

let say;
const heard = new Promise((resolve) => {
  say = resolve;
});
const server = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  say((event, data) => response.write(`event: ${event}\nid: 1\ndata: ${JSON.stringify(data)}\n\n`));
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const now = Date.now();
const turn = (messageId, state, more = {}) => ({
  messageId,
  seq: (now - 60_000) * 1000 + Number(messageId.slice(1)),
  state,
  attempts: 1,
  late: false,
  times: { recorded: now - 65_000, claimed: now - 5_000, ...(state === "processed" ? { finished: now - 120_000 } : {}) },
  ...more,
});
const state = (scribeEnabled, turns, messageCount = 3) => ({
  session: { ...real.session, scribeEnabled },
  status: { ...real.status, scribeEnabled, messageCount },
  etag: null,
  turns,
  complete: true,
});

const cases = [
  ["listening", state(true, [], 0), /^Listening$/],
  ["upToDate", state(true, [turn("m1", "processed")]), /^Up to date, written 2 minutes ago$/],
  ["waiting", state(true, [turn("m1", "pending"), turn("m2", "pending")]), /^2 turns waiting, for 1 min$/],
  ["writing", state(true, [turn("m1", "processing"), turn("m2", "pending")]), /^Writing$/],
  ["finishing", state(false, [turn("m1", "processing")]), /^Finishing the turn/],
  ["paused", state(false, [turn("m1", "paused")]), /^Paused: one turn kept/],
  ["off", state(false, [turn("m1", "processed")]), /^Off: nothing is written down$/],
];

await withBrowser(async (open) => {
  const page = await open({ tolerate: [/404/] });
  await page.route(/\/events$/, (route) => route.continue({ url: `http://127.0.0.1:${server.address().port}/` }));
  await page.goto(new URL(`/?conversation=${conversation}`, url).href);
  const event = await heard;
  event("state", cases[0][1]);
  await page.getByLabel("The document, in Markdown").waitFor();
  for (const [name, data, words] of cases) {
    event("state", data);
    await page.locator(`.status[data-status=${name}]`).waitFor();
    assert.match(await page.locator(".status-words").textContent(), words);
    await shot(page, `state-${name}`);
    tell({ view: name, violations: await violations(page) });
  }

  // Text that is being written is seen, and goes when it is withdrawn or kept.
  event("state", state(true, [turn("m1", "processing")]));
  const draft = { v: 1, messageId: "m1", etag: null, attempt: 1, claimed: now, cut: false };
  const edits = (markdown) => [{ action: "append", block: null, markdown }];
  event("writing", { ...draft, number: 1, edits: edits("Voss came") });
  event("writing", { ...draft, number: 3, edits: edits("Voss came **home** <b>late</b>") });
  event("writing", { ...draft, number: 2, edits: edits("Voss came home") });
  const drafts = page.getByRole("group", { name: "Being written, not yet kept" });
  await drafts.getByText("Voss came **home** <b>late</b>").waitFor();
  await shot(page, "state-draft");
  tell({ view: "draft", violations: await violations(page) });
  event("withdrawn", { ...draft, number: 4 });
  await drafts.getByText("Voss came").waitFor({ state: "detached" });
  event("writing", { ...draft, number: 5, edits: edits("Voss went") });
  await drafts.getByText("Voss went").waitFor();
  event("turn", turn("m1", "processed"));
  await drafts.getByText("Voss went").waitFor({ state: "detached" });

  // What failed says why, and can be tried again or left out.
  const asked = [];
  await page.route(/\/turns\/(m\d\/)?(replay|dismiss)$/, (route) => {
    asked.push(new URL(route.request().url()).pathname.split("/").slice(-2).join(" "));
    return route.fulfill({ status: 202, json: {} });
  });
  const reason = "3 attempts ended without a word";
  event("state", state(true, [turn("m1", "failed", { reason }), turn("m2", "failed", { reason: null })]));
  const failed = page.getByRole("region", { name: "2 turns could not be written" });
  await failed.getByText("3 attempts ended without a word.").waitFor();
  await page.locator(".status[data-status=failed]").waitFor();
  await shot(page, "state-failed");
  tell({ view: "failed", violations: await violations(page) });
  await failed.getByRole("button", { name: "Try again" }).first().click();
  await failed.getByRole("button", { name: "Leave out" }).last().click();
  await failed.getByRole("button", { name: "Try all again" }).click();
  assert.deepEqual(asked, ["m1 replay", "m2 dismiss", "turns replay"]);
  event("dismissed", { messageId: "m2" });
  await page.getByRole("region", { name: "one turn could not be written" }).waitFor();

  event("degraded", {});
  await page.locator(".status[data-status=degraded]").waitFor();
  event("gone", {});
  await page.locator(".status[data-status=gone]").waitFor();
  await shot(page, "state-gone");
  tell({ view: "gone", violations: await violations(page) });
});
server.closeAllConnections();
server.close();
