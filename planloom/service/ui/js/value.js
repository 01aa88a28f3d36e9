/** Values of a run: as text, JSON where they are no text, and without what says nothing. */

import { element } from "./element.js";

const MOST = 20_000;

/**
 * @param {unknown} value
 * @param {string} [label] what it is, for those who hear the page
 */
export function shown(value, label = "value") {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const body = element("pre", { class: "value", tabindex: 0, role: "group", "aria-label": label }, text.slice(0, MOST));
  if (text.length <= MOST) return body;
  const more = element("button", { type: "button" }, `Show all ${text.length.toLocaleString()} characters`);
  more.addEventListener("click", () => {
    body.textContent = text;
    more.remove();
  });
  return element("div", {}, body, more);
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {Record<string, unknown>} without what says nothing
 */
export function essential(fields) {
  const says = (/** @type {unknown} */ value) =>
    !(value === null || value === "" || value === false || (typeof value === "object" && !Object.keys(value ?? {}).length));
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => says(value)));
}
