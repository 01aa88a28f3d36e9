/** What a workflow would do and take, before anything runs. */

import { element } from "./element.js";
import { count, several, shortened, usd } from "./words.js";

/** @typedef {import("./shapes.js").Explained} Explained */
/** @typedef {import("./shapes.js").Estimate} Estimate */

const HEADS = ["Node", "What it does", "First rung", "Calls", "Cost", "After"];
const NUMBERS = ["Calls", "Cost"];

/**
 * @param {Explained} said
 * @returns {HTMLElement}
 */
export function explained({ plan, graph, estimates, warnings }) {
  const auto = plan === "auto";
  const told = auto
    ? "A planner writes the plan when the run begins, so that its nodes are not known yet."
    : `${several(graph.length, "node")}. Nothing was run. The lower figure is one clean attempt; the higher one is every call used, on the strongest rung.`;
  return element(
    "section",
    { class: "card explained", "aria-label": "What it would do" },
    element("h2", {}, "What it would do"),
    element("p", { class: "hint" }, told),
    graph.length > 0 && table(graph, estimates),
    warnings.length > 0 && element("h3", {}, "Warnings"),
    warnings.length > 0 &&
      element("ul", {}, ...warnings.map(({ node_id, message }) => element("li", {}, node_id && element("code", {}, node_id), ` ${message}`))),
  );
}

/**
 * @param {import("./shapes.js").GraphNode[]} graph
 * @param {Record<string, Estimate>} estimates
 */
function table(graph, estimates) {
  const rows = graph.map((node) => {
    const item = estimates[node.id];
    const marks = [node.map && "each of a list", node.approve && "waits for approval", node.effect === "write" && "writes"].filter(Boolean);
    const what = [shortened(node.goal, 120) || node.tool || node.kind, ...marks].join(" · ");
    return row([element("code", {}, node.id), what, item?.rung || "no model", callsOf(item), costOf(item), node.needs.join(", ")]);
  });
  const all = Object.values(estimates);
  const sum = {
    calls_low: all.reduce((total, item) => total + item.calls_low, 0),
    calls_high: all.reduce((total, item) => total + item.calls_high, 0),
    usd_low: summed(all.map((item) => item.usd_low)),
    usd_high: summed(all.map((item) => item.usd_high)),
    rung: "",
  };
  const foot = element("tfoot", {}, row([element("strong", {}, "All together"), "", "", callsOf(sum), costOf(sum), ""]));
  const head = element("tr", {}, ...HEADS.map((name) => element("th", { scope: "col", class: kindOf(name) }, name)));
  return element("div", { class: "table" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows), foot));
}

/** @param {import("./element.js").Child[]} cells */
function row(cells) {
  return element(
    "tr",
    {},
    ...cells.map((cell, at) => element("td", { "data-label": HEADS[at], class: cell === "" ? "empty" : kindOf(HEADS[at]) }, cell)),
  );
}

/** @param {string} head */
function kindOf(head) {
  return NUMBERS.includes(head) && "number";
}

/** @param {Estimate | undefined} item */
function callsOf(item) {
  if (!item || item.calls_high === 0) return "0";
  return item.calls_low === item.calls_high ? count(item.calls_low) : `${count(item.calls_low)} to ${count(item.calls_high)}`;
}

/** @param {Estimate | undefined} item */
function costOf(item) {
  if (!item) return usd(0);
  const [low, high] = [item.usd_low, item.usd_high];
  if (low === null || high === null) return "price unknown";
  return low === high ? usd(low) : `${usd(low)} to ${usd(high)}`;
}

/**
 * @param {(number | null)[]} values
 * @returns {number | null} null where one is not known
 */
function summed(values) {
  return values.reduce((sum, value) => (sum === null || value === null ? null : sum + value), 0);
}
