// This tab among the others of the browser.

import { tab } from "./storage";

const NAME = "scribe.tab";
const LEFT = "scribe.tab.left";

/** This tab's name, as long as it is open; a reload is the same one. */
export const thisTab = begin();

function begin(): string {
  // A tab that was made from another one begins with its storage. That one has not left.
  const known = tab.get(LEFT) ? tab.get(NAME) : undefined;
  const name = known ?? crypto.randomUUID();
  tab.set(NAME, name);
  tab.remove(LEFT);
  addEventListener("pagehide", () => tab.set(LEFT, "true"));
  addEventListener("pageshow", () => tab.remove(LEFT));
  // Held as long as the page is there, for other tabs to know.
  navigator.locks?.request(`${NAME}.${name}`, () => new Promise(() => undefined)).catch(() => undefined);
  return name;
}

/** The names of the tabs that are open. Nothing where the browser does not tell. */
export async function openTabs(): Promise<ReadonlySet<string> | undefined> {
  const locks = await navigator.locks?.query().catch(() => undefined);
  return locks && new Set(locks.held?.map((lock) => lock.name?.slice(NAME.length + 1) ?? ""));
}
