/** The nodes as a table: what the graph shows, and the elements of map nodes as well. */

import { badge } from "./badge.js";
import { element } from "./element.js";
import { duration, usd } from "./words.js";

/**
 * @param {HTMLElement} root
 * @param {import("./shapes.js").RunRecord} record
 * @param {(nodeId: string) => void} onChoose
 */
export function showNodes(root, record, onChoose) {
  const seen = JSON.stringify([record.nodes, record.critical_path]);
  if (root.dataset.seen === String(seen.length) + record.last_event_id) return;
  root.dataset.seen = String(seen.length) + record.last_event_id;
  const heads = ["Node", "State", "Rung", "Attempts", "Took", "Cost"];
  const rows = Object.values(record.nodes).map((node) => {
    const last = node.attempts[node.attempts.length - 1];
    const took = node.started_at && node.ended_at ? duration(node.ended_at - node.started_at) : "";
    const critical = record.critical_path.includes(node.id) ? " ◆" : "";
    const open = element("button", { type: "button", class: "link", onclick: () => onChoose(node.id) }, node.id);
    const cells = [open, badge(node.state), last?.rung ?? "", node.attempts.length, took, usd(node.cost_usd)];
    const made = cells.map((cell, at) => element("td", { "data-label": heads[at] }, cell, at === 0 && critical));
    return element("tr", {}, ...made);
  });
  const head = element("thead", {}, element("tr", {}, ...heads.map((name) => element("th", { scope: "col" }, name))));
  root.replaceChildren(
    element("p", { class: "hint" }, "◆ on the critical path: the chain of nodes that the run's length consists of."),
    element("div", { class: "table" }, element("table", {}, head, element("tbody", {}, ...rows))),
  );
}
