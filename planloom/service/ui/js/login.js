/** Asks for a key. */

import { element } from "./element.js";

/**
 * @param {HTMLElement} root
 * @param {import("./session.js").Session} session
 * @param {string} reason
 * @param {() => void} onKey
 */
export function showLogin(root, session, reason, onKey) {
  const field = element("input", {
    id: "key",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    "aria-describedby": "key-hint",
  });
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    session.key = field.value.trim();
    onKey();
  };
  root.replaceChildren(
    element("h1", {}, "Sign in"),
    session.key ? element("p", { class: "problem", role: "alert" }, reason) : "",
    element(
      "form",
      { class: "card", onsubmit: send },
      element("label", { for: "key" }, "Key or token"),
      field,
      element("p", { id: "key-hint", class: "hint" }, "From planloom keys create. It stays in this tab, until it is closed."),
      element("button", { type: "submit", class: "main" }, "Sign in"),
    ),
  );
  field.focus();
}
