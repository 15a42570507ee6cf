// A network that lets no stream of events through: the page asks instead. Tells how long the text takes from the end of
// an answer to the screen, and that nothing else is missing.

import assert from "node:assert/strict";

import { tell, url, withBrowser } from "./browser.mjs";
import { createDocument } from "./documents.mjs";

await withBrowser(async (open) => {
  // One proxy refuses the stream, another one keeps it to itself until it ends.
  for (const [how, hold] of [
    ["refused", (route) => route.fulfill({ status: 502, body: "bad gateway" })],
    ["held", () => undefined],
  ]) {
    const conversation = await createDocument(url, "The Ferry", "# The Ferry\n\nIt crosses at dawn.\n");
    const page = await open({ tolerate: [/status of 502/, /404/] });
    await page.route(/\/events$/, hold);
    await page.goto(new URL(`/?conversation=${conversation}`, url).href);
    const editor = page.getByLabel("The document, in Markdown");
    await editor.getByText("It crosses at dawn.").waitFor();
    await page.locator(".status[data-status=listening]").waitFor();
    const took = [];
    for (let nth = 1; nth <= 3; nth++) {
      await page.getByLabel("Your message").fill(`The ferry of day ${nth} carried Milestone-${nth} to Lowmere.`);
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Stop" }).waitFor({ state: "detached" });
      await page.getByRole("button", { name: "Send" }).waitFor();
      const ended = Date.now();
      await editor.getByText(`Milestone-${nth}`).waitFor();
      took.push(Date.now() - ended);
    }
    tell({ how, took });
    await page.locator(".status[data-status=upToDate]").waitFor();
    await page.getByRole("switch", { name: "The scribe writes" }).click();
    await page.locator(".status[data-status=off]").waitFor();
    assert.equal(await page.locator(".save").getAttribute("data-save"), "saved");
    await page.context().close();
  }
});
