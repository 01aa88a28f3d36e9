/** Where the money went: by rung, and by node. */

import { element } from "./element.js";
import { count, duration, usd } from "./words.js";

/**
 * @param {HTMLElement} root
 * @param {import("./shapes.js").RunRecord} record
 * @param {import("./story.js").Story} story
 */
export function showCosts(root, record, story) {
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
  const byNode = nodes.sort((a, b) => b.cost_usd - a.cost_usd).map((node) => [node.id, node.cost_usd]);
  const lines = [...(planner > 1e-9 ? [["planner", planner]] : []), ...byNode];
  root.replaceChildren(
    element("h3", {}, "By rung"),
    table(["Rung", "Cost", "Share", "Calls", "Tokens in + out", "Time in calls"], byRung),
    element("h3", {}, "By node"),
    table(
      ["Node", "Cost", "Share"],
      lines.map(([name, cost]) => [name, usd(Number(cost)), share(Number(cost), record.cost_usd)]),
    ),
  );
}

/**
 * @param {number} part
 * @param {number} whole
 */
function share(part, whole) {
  const percent = whole > 0 ? Math.round((100 * part) / whole) : 0;
  return element("span", {}, element("meter", { min: 0, max: 100, value: percent, "aria-hidden": "true" }), ` ${percent} %`);
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
