/** The bar over every page. */

import { element } from "./element.js";

const PAGES = { runs: "Runs", start: "Start a run", quality: "Quality" };

/**
 * @param {HTMLElement} root
 * @param {import("./session.js").Session} session
 * @param {string} page that is looked at
 */
export function showBar(root, session, page) {
  const leave = () => {
    session.key = "";
    location.reload();
  };
  const here = page in PAGES ? page : "runs";
  const links = Object.entries(PAGES).map(([name, label]) =>
    element("a", { href: `#/${name}`, "aria-current": name === here && "page" }, label),
  );
  const parts = [
    element("a", { class: "brand", href: "#/runs" }, "Planloom"),
    element("nav", { "aria-label": "Main" }, ...links),
    session.key !== "" && element("button", { type: "button", onclick: leave }, "Sign out"),
  ].filter((part) => part !== false);
  root.replaceChildren(...parts);
}
