/** Lays out plans beside the page, which stays at hand meanwhile. */

import { Graph, layout } from "../vendor/dagre.esm.js";

/** @typedef {{ id: number, nodes: string[], edges: [string, string][], width: number, height: number,
 *   direction: "LR" | "TB" }} Question */

const LARGE = 120;

/**
 * Dagre puts a point on each rank that an edge passes and one between any two ranks; the former are kept.
 *
 * @param {{ x: number, y: number }[]} points with those where the edge meets its nodes
 */
function lanes(points) {
  return points.filter((_, at) => at > 0 && at < points.length - 1 && at % 2 === 0);
}

addEventListener("message", (event) => {
  /** @type {Question} */
  const asked = event.data;
  const graph = new Graph();
  graph.setGraph({ rankdir: asked.direction, nodesep: 18, ranksep: 56, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of asked.nodes) graph.setNode(node, { width: asked.width, height: asked.height });
  for (const [from, to] of asked.edges) graph.setEdge(from, to);
  const large = asked.nodes.length > LARGE;
  layout(graph, large ? { ranker: "longest-path", disableOptimalOrderHeuristic: true } : {});
  const points = asked.edges.flatMap(([from, to]) => graph.edge(from, to).points);
  postMessage({
    id: asked.id,
    width: points.reduce((most, { x }) => Math.max(most, x), graph.graph().width),
    height: points.reduce((most, { y }) => Math.max(most, y), graph.graph().height),
    nodes: asked.nodes.map((node) => ({ id: node, x: graph.node(node).x, y: graph.node(node).y })),
    edges: asked.edges.map(([from, to]) => ({ from, to, via: lanes(graph.edge(from, to).points) })),
  });
});
