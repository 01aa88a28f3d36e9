/** Where the money went: by rung, and by node. */

import { element } from "./element.js";
import { showTable } from "./renew.js";
import { count, duration, percent, usd } from "./words.js";

/**
 * @param {HTMLElement} root
 * @param {import("./shapes.js").RunRecord} record
 * @param {import("./story.js").Story} story
 * @param {(nodeId: string) => void} onChoose
 */
export function showCosts(root, record, story, onChoose) {
  const seen = JSON.stringify([[...story.rungs.values()], record.cost_usd]);
  if (root.dataset.seen === seen) return;
  root.dataset.seen = seen;
  const open = (/** @type {string} */ id) =>
    element("button", { type: "button", class: "link", onclick: () => onChoose(id) }, id);
  const rungs = [...story.rungs.values()].sort((a, b) => b.usd - a.usd);
  const byRung = rungs.map((sum) => [
    sum.rung,
    usd(sum.usd),
    share(sum.usd, record.cost_usd),
    `${count(sum.calls)}${sum.failed ? ` (${sum.failed} failed)` : ""}`,
    `${count(sum.input)} + ${count(sum.output)}`,
    duration(sum.seconds),
  ]);
  const nodes = Object.values(record.nodes).filter((node) => node.cost_usd > 0);
  const planner = record.cost_usd - nodes.reduce((sum, node) => sum + node.cost_usd, 0);
  const byNode = nodes
    .sort((a, b) => b.cost_usd - a.cost_usd)
    .map((node) => [open(node.id), usd(node.cost_usd), share(node.cost_usd, record.cost_usd)]);
  const rest = planner > 1e-9 ? [["planner", usd(planner), share(planner, record.cost_usd)]] : [];
  if (!root.children.length)
    for (const title of ["By rung", "By node"]) root.append(element("h3", {}, title), element("div", { class: "table" }));
  const [, first, , second] = /** @type {HTMLElement[]} */ ([...root.children]);
  table(first, ["Rung", "#Cost", "Share", "#Calls", "#Tokens in + out", "#Time in calls"], byRung);
  table(second, ["Node", "#Cost", "Share"], [...rest, ...byNode]);
}

/**
 * @param {number} part
 * @param {number} whole
 */
function share(part, whole) {
  const value = whole > 0 ? (100 * part) / whole : 0;
  return element("span", {}, element("meter", { min: 0, max: 100, value, "aria-hidden": "true" }), ` ${percent(part, whole)}`);
}

/**
 * @param {HTMLElement} root
 * @param {string[]} heads
 * @param {import("./element.js").Child[][]} rows
 */
function table(root, heads, rows) {
  if (!rows.length) return root.replaceChildren(element("p", { class: "nothing" }, "No model was paid."));
  showTable(root, heads, rows.map((cells) => ({ key: text(cells[0]), cells })));
}

/** @param {import("./element.js").Child} cell */
function text(cell) {
  return cell instanceof Node ? (cell.textContent ?? "") : String(cell);
}
