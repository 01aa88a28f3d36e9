/** Draws a list anew without touching what stays the same, so that focus, selection and scrolling are kept. */

import { element } from "./element.js";

/** @typedef {{ key: string, told: string, make: () => HTMLElement }} Line `told` is all that is drawn, as text */
/** @typedef {{ key: string, told?: unknown, cells: import("./element.js").Child[] }} Row `told` where the cells do not tell it */

const FOCUSABLE = "a, button, input, select, textarea, summary, [tabindex]";
/** @type {WeakMap<Element, Line>} */
const lines = new WeakMap();

/**
 * @param {Element} root
 * @param {Line[]} wanted with a key each
 */
export function renew(root, wanted) {
  const there = new Map([...root.children].map((child) => [lines.get(child)?.key, child]));
  const all = wanted.map((line) => renewed(there.get(line.key), line));
  const kept = new Set(all);
  for (const child of [...root.children]) if (!kept.has(child)) child.remove();
  all.forEach((child, at) => root.children[at] !== child && root.insertBefore(child, root.children[at] ?? null));
}

/**
 * @param {Element | undefined} old
 * @param {Line} line
 * @returns {Element}
 */
function renewed(old, line) {
  if (old && lines.get(old)?.told === line.told) return old;
  const made = line.make();
  lines.set(made, line);
  if (!old) return made;
  const at = [old, ...old.querySelectorAll(FOCUSABLE)].indexOf(/** @type {Element} */ (document.activeElement));
  old.replaceWith(made);
  const next = at < 0 ? null : [made, ...made.querySelectorAll(FOCUSABLE)][at];
  if (next instanceof HTMLElement) next.focus({ preventScroll: true });
  return made;
}

/**
 * @param {HTMLElement} root
 * @param {string[]} heads those of numbers begin with `#`
 * @param {Row[]} rows
 */
export function showTable(root, heads, rows) {
  const names = heads.map((head) => head.replace("#", ""));
  const kinds = heads.map((head, at) => `${names[at].toLowerCase().split(" ")[0]}${head.startsWith("#") ? " number" : ""}`);
  let body = root.querySelector(":scope > table > tbody");
  if (!body) {
    const head = element("tr", {}, ...names.map((name, at) => element("th", { scope: "col", class: kinds[at] }, name)));
    body = element("tbody");
    root.replaceChildren(element("table", {}, element("thead", {}, head), body));
  }
  const drawn = rows.map(({ key, told, cells }) => ({
    key,
    told: JSON.stringify([told, cells.map((cell) => (cell instanceof Element ? cell.outerHTML : cell))]),
    make: () =>
      element("tr", {}, ...cells.map((cell, at) => element("td", { class: kinds[at], "data-label": names[at] }, cell))),
  }));
  renew(body, drawn);
}
