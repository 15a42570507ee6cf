// Every view in wide and narrow windows, light and dark: what axe has against it, and what stands beyond its window. The
// states of the scribe, drafts and suggestions in the text have scripts of their own.

import { shot, tell, url, violations, windows, withBrowser } from "./browser.mjs";
import { createDocument } from "./documents.mjs";

const LONG = "Donaudampfschifffahrtsgesellschaft".repeat(4).slice(0, 120);
const TEXT = `# The Lamp

Maren of Voss keeps the lamp of Lowmere, **every** night, *slowly*, as [the book](https://example.org) says.

## What she needs

- oil, two buckets
- a wick
  - of cotton
- patience

1. Fill it.
2. Light it.

| Night | Ships | Oil used | Remarks of the keeper |
| --- | ---: | --- | --- |
| 1 | 12 | two buckets | Fog until the morning |

> She said it would last.

\`\`\`js
const lamp = light({ oil: 2, wick: "cotton", until: "the sun comes up over the quay and the ships leave" });
\`\`\`

Use \`light()\` for it. ${LONG}
`;
const SAID = [
  { id: "m1", role: "user", content: "Who keeps the lamp of Lowmere, and since when?" },
  { id: "a1", role: "assistant", content: `Maren of **Voss**.\n\n- since 412\n\n| Night | Ships | Remarks as they stand in the book |\n|---|---|---|\n| 1 | 12 | Fog |` },
  { id: "m2", role: "user", content: `And this: ${LONG}` },
  { id: "a2", role: "assistant", content: `That word is ${LONG} indeed.`, command: "failed" },
  { id: "m3", role: "user", content: "Since which year?" },
  { id: "a3", role: "assistant", content: "Since the year", broken: "stopped" },
];
const suggestion = (id, action, person, stale, markdown) => ({
  id,
  action,
  block: "b1",
  person,
  stale,
  markdown,
  turn: person ? null : "c/m1",
  current: { hash: "x", markdown: "Maren keeps it **slowly**.\n" },
});
const SUGGESTIONS = [
  suggestion("s1", "replace", null, false, "Maren of Voss keeps it, and has kept it for years, whatever the weather was."),
  suggestion("s2", "delete", "Bob", true, ""),
  suggestion("s3", "insert", "annabel.longname@example.org", false, LONG),
];

const lamp = await createDocument(url, "The Lamp", TEXT);
const wordy = await createDocument(url, "A title that goes on and on, ".repeat(8).slice(0, 200), TEXT);
const { session } = await (await fetch(new URL(`/api/chat/background-doc/${lamp}`, url))).json();
const asset = `/api/media-assets/${session.textAssetId}`;
const read = await fetch(new URL(asset, url));
await read.text();
const changed = await fetch(new URL(asset, url), {
  method: "PUT",
  headers: { "content-type": "application/json", "if-match": read.headers.get("etag") },
  body: JSON.stringify({ content: TEXT.replace("two buckets\n", "three buckets\n").replace("patience", "patience, and more of it") }),
});
await changed.text();

const editorOf = (page) => page.getByLabel("The document, in Markdown");
const refuse = (status, message) => (route) => route.fulfill({ status, json: { error: { code: "refused", message } } });
const press = (page, name) => page.getByRole("button", { name, exact: true }).first().click();
const openDocument = async (page, id = lamp) => {
  await page.goto(new URL(`/?conversation=${id}`, url).href);
  await page.getByRole("tab", { name: "Scribe", exact: true }).click();
  await editorOf(page).waitFor();
};
const openChat = async (page, id) => {
  await page.evaluate(([id, said]) => localStorage.setItem(`scribe.chat.${id}`, said), [id, JSON.stringify(SAID)]);
  await page.goto(new URL(`/?conversation=${id}`, url).href);
  await page.getByText("Since the year").waitFor();
};
const openShelf = async (page) => {
  await press(page, "Documents");
  await page.getByRole("dialog").getByRole("listitem").first().waitFor();
};
const withSuggestions = async (page) => {
  await page.route(/\/suggestions$/, (route) => route.fulfill({ json: { suggestions: SUGGESTIONS } }));
  await openDocument(page);
  await page.getByRole("group", { name: "Suggestion" }).first().waitFor();
};

/** How to come to each view, from a first visit in a narrow window. */
const views = {
  "nothing was said": async () => {},
  start: async (page) => {
    await page.getByRole("tab", { name: "Scribe", exact: true }).click();
  },
  "start refused": async (page) => {
    await page.getByRole("tab", { name: "Scribe", exact: true }).click();
    await page.route(/\/start$/, refuse(429, "too many"));
    await press(page, "Start the scribe");
    await page.getByRole("alert").waitFor();
  },
  chat: (page) => openChat(page, "chat-1"),
  "message edited": async (page) => {
    await openChat(page, "chat-1");
    await press(page, "Edit");
    await page.getByLabel("Edit your message").waitFor();
  },
  "answer on its way": async (page) => {
    await openChat(page, "chat-1");
    await page.route(/\/api\/agent-lore$/, () => {});
    await page.getByLabel("Your message").fill("Go on\nwith it");
    await page.getByLabel("Your message").press("Enter");
    await page.getByRole("button", { name: "Stop" }).waitFor();
  },
  "answer refused": async (page) => {
    await openChat(page, "chat-1");
    await page.route(/\/api\/agent-lore$/, refuse(500, "the model is away; look into its settings"));
    await press(page, "Answer again");
    await page.getByRole("alert").waitFor();
  },
  search: async (page) => {
    await openDocument(page);
    await editorOf(page).focus();
    await page.keyboard.press("Control+f");
    await page.getByRole("button", { name: "Replace all" }).waitFor();
  },
  read: async (page) => {
    await openDocument(page);
    await page.getByRole("tab", { name: "Read" }).click();
    await page.getByRole("heading", { name: "What she needs" }).waitFor();
  },
  "what a version changed": async (page) => {
    await openDocument(page);
    await page.getByRole("tab", { name: "History" }).click();
    await page.locator(".version").first().click();
    await page.locator(".compare .cm-content").waitFor();
  },
  "documents and conversations": async (page) => {
    await openChat(page, "chat-1");
    await openShelf(page);
  },
  "no document": async (page) => {
    await page.route(/media-assets\?/, (route) => route.fulfill({ json: { assets: [], next: null } }));
    await press(page, "Documents");
    await page.getByText("No document yet").waitFor();
  },
  "document that can't be read": async (page) => {
    await page.route(/media-assets\?/, (route) => route.fulfill({ json: { assets: [{ id: "3f2a" }], next: "more" } }));
    await openShelf(page);
  },
  "to be deleted": async (page) => {
    await openShelf(page);
    await page.getByRole("button", { name: "Delete: " }).first().click();
    await page.getByRole("button", { name: "Cancel" }).waitFor();
  },
  menu: async (page) => {
    await openDocument(page);
    await press(page, "More");
    await page.getByRole("menu").waitFor();
  },
  suggestions: withSuggestions,
  compare: async (page) => {
    await withSuggestions(page);
    await press(page, "Compare");
    await page.getByRole("dialog").locator(".cm-content").waitFor();
  },
  token: async (page) => {
    await page.route(/media-assets\?/, refuse(401, "a token is wanted"));
    await press(page, "Documents");
    await page.getByText("Who are you?").waitFor();
  },
  offline: async (page) => {
    await openDocument(page);
    await page.context().setOffline(true);
    await editorOf(page).focus();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("Offline words.");
    await page.locator(".save[data-save=offline]").waitFor();
  },
  "switch refused": async (page) => {
    await openDocument(page);
    await page.route(/\/toggle$/, refuse(500, "the scribe could not be reached; try again"));
    await page.getByRole("switch", { name: "The scribe writes" }).click();
    await page.getByRole("alert").waitFor();
  },
  "long title": (page) => openDocument(page, wordy),
};

/** What stands beyond the window without a scroll bar of its own. */
const beyond = (page) =>
  page.evaluate(() => {
    const root = document.documentElement;
    const found = [...document.querySelectorAll("#root *, [role=dialog] *, [role=menu] *")].filter((element) => {
      const box = element.getBoundingClientRect();
      return box.width > 0 && box.right > innerWidth + 1 && !element.closest(".skip, pre, .table, .cm-scroller");
    });
    const wide = root.scrollWidth > root.clientWidth ? ["the page"] : [];
    return [...wide, ...found.map((element) => element.className || element.tagName)];
  });

await withBrowser(async (open) => {
  const look = async ([view, prepare]) => {
    const page = await open({ viewport: windows.narrow, tolerate: [/./] });
    await prepare(page);
    for (const [name, viewport] of Object.entries(windows)) {
      await page.setViewportSize(viewport);
      await page.locator(name === "wide" ? ".beside" : ".stacked").waitFor({ state: "attached" });
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await shot(page, `${view}-${name}-${colorScheme}`);
        tell({ view: `${view}, ${name}, ${colorScheme}`, beyond: await beyond(page), violations: await violations(page) });
      }
    }
    await page.context().close();
  };
  const waiting = Object.entries(views);
  const lane = async () => {
    while (waiting.length > 0) await look(waiting.shift());
  };
  await Promise.all([lane(), lane(), lane()]);
});
// What waits for nothing any more.
process.exit(0);
