// Opens the page in each window and colour scheme. Tells how many bytes came over the wire until it stood there, and
// what axe has against it.

import { shot, tell, violations, windows, withBrowser } from "./browser.mjs";

await withBrowser(async (open) => {
  for (const [name, viewport] of Object.entries(windows)) {
    for (const colorScheme of ["light", "dark"]) {
      const page = await open({ viewport, colorScheme });
      // What it fetches right after it stands there is counted too.
      await page.waitForTimeout(1000);
      const bytes = await page.evaluate(() =>
        performance
          .getEntriesByType("navigation")
          .concat(performance.getEntriesByType("resource"))
          .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
      );
      const overflow = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return scrollWidth - clientWidth;
      });
      await shot(page, `opens-${name}-${colorScheme}`);
      tell({ view: `${name}, ${colorScheme}`, bytes, overflow, violations: await violations(page) });
      await page.context().close();
    }
  }
});
