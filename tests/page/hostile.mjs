// Markdown that means harm: scripts, addresses that run, pictures that tell who reads, a table as wide as a street,
// nesting without end. It is shown, and does nothing.

import assert from "node:assert/strict";

import { shot, tell, url, withBrowser } from "./browser.mjs";
import { createDocument } from "./documents.mjs";

const columns = 400;
const row = (cell) => `|${Array.from({ length: columns }, (_, at) => cell(at)).join("|")}|`;
const text = [
  "# Harmless <script>globalThis.ran = 1</script>",
  "<img src=x onerror=\"globalThis.ran = 2\"> <iframe src=\"javascript:globalThis.ran = 3\"></iframe>",
  "[one](javascript:globalThis.ran=4) [two](JaVaScRiPt&colon;globalThis.ran=5) [three](data:text/html,<script>globalThis.ran=6</script>) [four](vbscript:x)",
  "![who reads](https://tracker.example/pixel.png) <style>body { display: none }</style> <base href=\"https://evil.example/\">",
  "<form action=\"https://evil.example\"><button>Send</button></form> <svg onload=\"globalThis.ran = 7\"></svg>",
  `${row((at) => `h${at}`)}\n${row(() => "-")}\n${`${row((at) => at)}\n`.repeat(30)}`,
  `${"> ".repeat(400)}deep`,
  `${Array.from({ length: 120 }, (_, at) => `${"  ".repeat(at)}- ${at}`).join("\n")}`,
  `${"*".repeat(3000)}a${"*".repeat(3000)} ${"[".repeat(3000)} ${"`".repeat(3000)}`,
  `${"x".repeat(20_000)}`,
  "The last line.",
].join("\n\n");
const conversation = await createDocument(url, "Harmless <b>title</b>", text);

await withBrowser(async (open) => {
  const page = await open({ path: `/?conversation=${conversation}` });
  const elsewhere = [];
  page.on("request", (request) => new URL(request.url()).origin === new URL(url).origin || elsewhere.push(request.url()));
  await page.getByLabel("The document, in Markdown").waitFor();
  await page.getByRole("tab", { name: "Read" }).click();
  await page.locator(".reading").getByText("The last line.").waitFor();
  const reading = page.locator(".reading");
  // Whatever looks like a link is followed once, with the page that it might leave held here.
  await page.route(/example/, (route) => route.abort());
  const addresses = await reading.locator("a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  for (const address of addresses) assert.match(address || "https:", /^(https?:|mailto:|#|\/)/, `a link leads to ${address}`);
  for (const name of ["script", "iframe", "img", "style", "base", "form", "svg", "object", "embed"]) {
    assert.equal(await reading.locator(name).count(), 0, `there is a ${name}`);
  }
  assert.equal(await page.evaluate(() => globalThis.ran), undefined, "something ran");
  assert.deepEqual(elsewhere, [], "something was asked elsewhere");
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, "the page is wider than its window");
  assert.equal(await page.getByLabel("The document’s title").inputValue(), "Harmless <b>title</b>");
  await shot(page, "hostile");
  tell({ links: addresses.length });
});
