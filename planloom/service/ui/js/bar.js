/** The bar over every page. */

import { element } from "./element.js";

/**
 * @param {HTMLElement} root
 * @param {import("./session.js").Session} session
 */
export function showBar(root, session) {
  const leave = () => {
    session.key = "";
    location.reload();
  };
  const parts = [
    element("a", { class: "brand", href: "#/runs" }, "Planloom"),
    element(
      "nav",
      { "aria-label": "Main" },
      element("a", { href: "#/runs" }, "Runs"),
      element("a", { href: "#/start" }, "Start a run"),
    ),
    session.key !== "" && element("button", { type: "button", onclick: leave }, "Sign out"),
  ].filter((part) => part !== false);
  root.replaceChildren(...parts);
}
