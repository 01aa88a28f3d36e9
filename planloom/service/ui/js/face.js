/** What the graph says of a node: its state, and in a few words what it took. */

import { stateIn, usd } from "./words.js";

/** @typedef {import("./shapes.js").GraphNode} GraphNode */
/** @typedef {import("./shapes.js").NodeRecord} NodeRecord */
/** @typedef {{ state: string, word: string, facts: string, spoken: string }} Face `word` for the state */

/** States are told by a sign as well as by a colour. */
/** @type {Record<string, string>} */
export const SIGNS = { pending: "○", running: "●", done: "✓", failed: "✗", skipped: "–", held: "‖", removed: "×" };

/**
 * Elements of map nodes by the node that they belong to, found once for a whole plan.
 *
 * @param {Record<string, NodeRecord>} records
 * @returns {Map<string, NodeRecord[]>}
 */
export function elementsOf(records) {
  /** @type {Map<string, NodeRecord[]>} */
  const found = new Map();
  for (const [id, record] of Object.entries(records)) {
    const at = id.indexOf("[");
    if (at < 0) continue;
    const base = id.slice(0, at);
    const list = found.get(base);
    if (list) list.push(record);
    else found.set(base, [record]);
  }
  return found;
}

/**
 * @param {GraphNode} node
 * @param {NodeRecord | undefined} record
 * @param {NodeRecord[]} parts elements of a map node
 * @param {boolean} critical
 * @param {string} status of the run
 * @returns {Face}
 */
export function faceOf(node, record, parts, critical, status) {
  const done = parts.filter(({ state }) => state === "done").length;
  const attempts = record?.attempts ?? [];
  const last = attempts[attempts.length - 1];
  const cost = parts.reduce((sum, part) => sum + part.cost_usd, record?.cost_usd ?? 0);
  const facts = [
    last?.rung || node.tool || (node.kind === "worker" ? "" : node.kind),
    parts.length ? `${done}/${parts.length}` : "",
    attempts.length > 1 ? `×${attempts.length}` : "",
    cost ? usd(cost) : "",
  ].filter(Boolean);
  const spoken = `${facts.map((fact) => `, ${fact}`).join("")}${critical ? ", on the critical path" : ""}`;
  const state = record?.state ?? "pending";
  return { state, word: stateIn(state, status), facts: facts.join(" · "), spoken };
}
