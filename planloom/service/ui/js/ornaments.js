/** What a graph has beside its nodes and edges: tips of edges, and frames of blocks. */

import { drawn } from "./element.js";

/** Tips of edges: an edge on the critical path has one of its own, because a tip takes no colour from its edge. */
export function arrows() {
  const box = { markerWidth: 7, markerHeight: 7, refX: 6.5, refY: 3.5, orient: "auto", markerUnits: "userSpaceOnUse" };
  const tips = ["tip", "critical-tip"].map((id) => drawn("marker", { id, ...box }, drawn("path", { d: "M0 0L7 3.5L0 7z" })));
  return drawn("defs", {}, ...tips);
}

/** @param {import("./arrange.js").Box} block */
export function frame({ x, y, width, height }) {
  return drawn("rect", { class: "block", x: x - width / 2, y: y - height / 2, width, height, rx: 12 });
}
