// What the scripts beside it share. Each is run with the page's address, drives Debian's Chromium, and prints a JSON
// line for whatever the test should know. What a page complains of is told as `{"fault": …}`; the test fails on it.

import { accessSync, constants, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";

import axe from "axe-core";
import { chromium } from "playwright-core";

/** Where the page is. */
export const url = process.argv[2];

/** The windows that every view has to look well in. */
export const windows = {
  wide: { width: 1440, height: 900 },
  narrow: { width: 360, height: 740 },
};

export function tell(line) {
  console.log(JSON.stringify(line));
}

/**
 * Starts a browser, and ends it after `act(open)`. Each `open()` is somebody's first visit: a page with a storage of
 * its own, which is watched. `tolerate` are patterns of complaints that belong to what the script does.
 */
export async function withBrowser(act) {
  const browser = await chromium.launch({
    executablePath: installed("chromium", "google-chrome"),
    // Without them it asks Google's hosts at each start; as root, as on CI, it has no sandbox.
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-quic"],
  });
  try {
    await act(async ({ tolerate = [], path = "/", ...options } = {}) => {
      const context = await browser.newContext({ viewport: windows.wide, ...options });
      // For machines that do other things as well.
        context.setDefaultTimeout(60_000);
      const page = await context.newPage();
      watch(page, tolerate);
      await page.goto(new URL(path, url).href);
      // An empty root says that the script did not run.
      await page.locator("#root > *").first().waitFor({ state: "attached" });
      return page;
    });
  } finally {
    await browser.close();
  }
}

function watch(page, tolerate) {
  const fault = (kind, text) => {
    if (!tolerate.some((pattern) => pattern.test(text))) tell({ fault: kind, text });
  };
  page.on("console", (message) => {
    // What the policy refuses is told here too.
    if (message.type() === "error") fault("console", `${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => fault("exception", error.stack ?? String(error)));
  page.on("crash", () => fault("crash", page.url()));
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText;
    // The page itself ends the streams that it no longer reads.
    if (why !== "net::ERR_ABORTED") fault("request", `${why} (${request.method()} ${request.url()})`);
  });
}

/** What axe has against the page as it is now: `[{ rule, help, where }]`. */
export async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  return found.violations.map(({ id, help, nodes }) => ({
    rule: id,
    help,
    where: nodes.map((node) => `${node.target.join(" ")}: ${node.any.concat(node.all, node.none).map((check) => check.message).join("; ")}`),
  }));
}

/** Keeps a picture of the page in the folder that PAGE_SHOTS names, if one is named. */
export async function shot(page, name) {
  const folder = process.env.PAGE_SHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

/** Where the first of these programs is that is there. */
function installed(...programs) {
  for (const program of programs) {
    for (const folder of process.env.PATH.split(delimiter)) {
      try {
        accessSync(join(folder, program), constants.X_OK);
        return join(folder, program);
      } catch {
        // It may be in the next one.
      }
    }
  }
  throw new Error(`${programs[0]} is missing; \`make test\` installs it`);
}
