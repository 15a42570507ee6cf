// Puts into the page what must never run there, as if hostile text had got in. Tells what ran, and how much the policy
// refused.

import { tell, withBrowser } from "./browser.mjs";

await withBrowser(async (open) => {
  const page = await open({ tolerate: [/Content Security Policy/] });
  const told = await page.evaluate(async () => {
    // What the debugger calls may eval; what a timer calls may not.
    await new Promise((done) => setTimeout(done));
    const refused = [];
    document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
    globalThis.ran = [];
    const add = (name, attributes) => {
      const element = Object.assign(document.createElement(name), attributes);
      document.body.append(element);
      return element;
    };
    add("script", { textContent: "ran.push('script')" });
    add("div", { innerHTML: "<img src='data:image/png,none' onerror=\"ran.push('handler')\">" });
    add("a", { href: "javascript:ran.push('link')" }).click();
    add("script", { src: "data:text/javascript,ran.push('data')" });
    add("iframe", { srcdoc: "<script>parent.ran.push('frame')</script>" });
    try {
      globalThis.eval("ran.push('eval')");
    } catch {
      // It is among what was refused.
    }
    await fetch("http://127.0.0.1:9/").catch(() => {});
    await new Promise((done) => setTimeout(done, 500));
    return { ran: globalThis.ran, refused: [...new Set(refused)].sort() };
  });
  tell(told);
});
