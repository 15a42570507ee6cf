// A document of 50,000 tokens: somebody types in it, and scrolls. Tells how long the page stood still, in milliseconds,
// and by how much something moved that nobody moved.

import { shot, tell, url, withBrowser } from "./browser.mjs";
import { createDocument } from "./documents.mjs";

let text = "# A long chronicle\n";
for (let nth = 1; text.length < 200_000; nth++) {
  const said = `The keeper of lamp ${nth} walked *slowly* along the **quay** of Lowmere and counted ${nth} ferries in the rain. `;
  text += `\n## Chapter ${nth}\n\n${said.repeat(6)}\n\n- salt ${nth}\n- rope ${nth}\n`;
}
const conversation = await createDocument(url, "A long chronicle", text);

await withBrowser(async (open) => {
  const page = await open({ path: `/?conversation=${conversation}` });
  const editor = page.getByLabel("The document, in Markdown");
  await editor.waitFor();
  await page.locator(".cm-line").nth(10).waitFor();
  // What is read once when the page opens is not typing.
  await page.evaluate(() => new Promise((done) => requestIdleCallback(done)));
  await page.evaluate(() => {
    globalThis.seen = { tasks: [], shift: 0 };
    const watch = (type, note) =>
      new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: false });
    watch("longtask", (entry) => globalThis.seen.tasks.push(entry.duration));
    watch("layout-shift", (entry) => (globalThis.seen.shift += entry.hadRecentInput ? 0 : entry.value));
  });
  const since = () => page.evaluate(() => ({ ...globalThis.seen, tasks: globalThis.seen.tasks.splice(0) }));

  await editor.focus();
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("End");
  await page.keyboard.type(" Somebody types here for a while, word after word, to see how it feels.", { delay: 40 });
  await page.locator(".save[data-save=saved]").waitFor();
  tell({ typing: await since() });

  await page.mouse.move(1000, 500);
  for (let turns = 0; turns < 40; turns++) {
    await page.mouse.wheel(0, 1500);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
  tell({ scrolling: await since(), at: await page.locator(".cm-scroller").evaluate((scroller) => scroller.scrollTop) });
  await shot(page, "long");
});
