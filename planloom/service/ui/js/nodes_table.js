/** The nodes as a table: what the graph shows, and the elements of map nodes as well, each behind its node. */

import { badge } from "./badge.js";
import { element } from "./element.js";
import { elementsOf } from "./face.js";
import { showTable } from "./renew.js";
import { duration, stateIn, usd } from "./words.js";

/** @typedef {import("./shapes.js").NodeRecord} NodeRecord */

const HEADS = ["Node", "State", "Rung", "#Attempts", "#Took", "#Cost"];

/**
 * @param {HTMLElement} root
 * @param {import("./shapes.js").RunRecord} record
 * @param {(nodeId: string) => void} onChoose
 */
export function showNodes(root, record, onChoose) {
  if (root.dataset.seen === String(record.last_event_id)) return;
  root.dataset.seen = String(record.last_event_id);
  if (!root.children.length)
    root.append(
      element("p", { class: "hint" }, "◆ on the critical path: the chain of nodes that the run's length consists of."),
      element("div", { class: "table" }),
    );
  const parts = elementsOf(record.nodes);
  const whole = Object.values(record.nodes).filter(({ id }) => !id.includes("["));
  const rows = whole.flatMap((node) => {
    const mine = parts.get(node.id) ?? [];
    return [row(node, mine, record, onChoose), ...mine.map((part) => row(part, [], record, onChoose))];
  });
  showTable(/** @type {HTMLElement} */ (root.lastElementChild), HEADS, rows);
}

/**
 * @param {NodeRecord} node
 * @param {NodeRecord[]} parts elements of a map node, whose attempts and cost are its own
 * @param {import("./shapes.js").RunRecord} record
 * @param {(nodeId: string) => void} onChoose
 * @returns {import("./renew.js").Row}
 */
function row(node, parts, record, onChoose) {
  const all = [node, ...parts];
  const attempts = all.flatMap((each) => each.attempts);
  const rungs = [...new Set(all.map((each) => each.attempts[each.attempts.length - 1]?.rung).filter(Boolean))];
  const took = node.started_at && node.ended_at ? duration(node.ended_at - node.started_at) : "";
  const open = element("button", { type: "button", class: "link", onclick: () => onChoose(node.id) }, node.id);
  const name = element("span", {}, open, record.critical_path.includes(node.id) && " ◆");
  const cost = all.reduce((sum, each) => sum + each.cost_usd, 0);
  return {
    key: node.id,
    cells: [name, badge(node.state, stateIn(node.state, record.status)), rungs.join(", "), attempts.length, took, usd(cost)],
  };
}
