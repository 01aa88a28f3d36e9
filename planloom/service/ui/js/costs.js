/** Where the money went: by rung, and by node. */

import { element } from "./element.js";
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
  root.replaceChildren(
    element("h3", {}, "By rung"),
    table(["Rung", "Cost", "Share", "Calls", "Tokens in + out", "Time in calls"], byRung),
    element("h3", {}, "By node"),
    table(["Node", "Cost", "Share"], [...rest, ...byNode]),
  );
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
 * @param {string[]} heads
 * @param {import("./element.js").Child[][]} rows
 */
function table(heads, rows) {
  if (!rows.length) return element("p", { class: "hint" }, "No model was paid.");
  const head = element("tr", {}, ...heads.map((name) => element("th", { scope: "col" }, name)));
  const body = rows.map((row) => element("tr", {}, ...row.map((cell, at) => element("td", { "data-label": heads[at] }, cell))));
  return element("div", { class: "table" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}
