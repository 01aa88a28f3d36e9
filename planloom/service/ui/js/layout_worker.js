/** Lays out plans beside the page, which stays at hand meanwhile. */

import { Graph, layout } from "../vendor/dagre.esm.js";

/** @typedef {{ id: number, nodes: string[], edges: [string, string][], width: number, height: number,
 *   direction: "LR" | "TB" }} Question */

const LARGE = 120;

addEventListener("message", (event) => {
  /** @type {Question} */
  const asked = event.data;
  const graph = new Graph();
  graph.setGraph({ rankdir: asked.direction, nodesep: 18, ranksep: 46, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of asked.nodes) graph.setNode(node, { width: asked.width, height: asked.height });
  for (const [from, to] of asked.edges) graph.setEdge(from, to);
  const large = asked.nodes.length > LARGE;
  layout(graph, large ? { ranker: "longest-path", disableOptimalOrderHeuristic: true } : {});
  postMessage({
    id: asked.id,
    width: graph.graph().width,
    height: graph.graph().height,
    nodes: asked.nodes.map((node) => ({ id: node, x: graph.node(node).x, y: graph.node(node).y })),
    edges: asked.edges.map(([from, to]) => ({ from, to, points: graph.edge(from, to).points })),
  });
});
