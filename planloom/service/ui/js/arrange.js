/** Where the nodes of a plan stand: by layers from left to right or downwards, what is alike side by side in blocks. */

import { Graph, layout } from "../vendor/dagre.esm.js";
import { blocksOf } from "./blocks.js";

/** @typedef {import("./blocks.js").Edge} Edge */
/** @typedef {import("./blocks.js").Block} Block */
/** @typedef {{ width: number, height: number }} Size */
/** @typedef {{ x: number, y: number }} Point middle of something */
/** @typedef {Point & Size & { id: string }} Box */
/** @typedef {Point & { half: number }} Lane that an edge passes through a layer, with half the depth of that layer */
/** @typedef {{ from: string, to: string, via: Lane[] }} Line from a node or a block to another */
/** @typedef {{ nodes: string[], edges: Edge[], size: Size, room: number }} Question `room` is the width that can be seen at
 *   once, as nodes are measured */
/** @typedef {Size & { across: boolean, nodes: Box[], blocks: (Box & { ids: string[] })[], lines: Line[] }} Placed */

const GAP = 18;
const DEEP = 56;
const MARGIN = 12;
/** More nodes than this are laid out by faster and coarser means. */
const LARGE = 120;
const LEAST = { small: 7, large: 4 };
/** Width of a block for its height, if there is room. */
const FLAT = 3;
/** What is narrower than this many nodes goes downwards. */
const NARROW = 4;

/**
 * @param {Question} question
 * @returns {Placed}
 */
export function arranged({ nodes, edges, size, room }) {
  const blocks = blocksOf(nodes, edges, nodes.length > LARGE ? LEAST.large : LEAST.small);
  const homes = new Map(blocks.flatMap((block) => block.parts.flat().map((id) => [id, block.id])));
  const items = [...nodes.filter((id) => !homes.has(id)), ...blocks.map(({ id }) => id)];
  const home = (/** @type {string} */ id) => homes.get(id) ?? id;
  const outer = [...new Set(edges.map(([from, to]) => `${home(from)}\n${home(to)}`))]
    .map((pair) => /** @type {Edge} */ (pair.split("\n")))
    .filter(([from, to]) => from !== to);
  const shape = shapeOf(items, outer, new Set(homes.values()));
  const across = goesAcross(shape, size, room);
  const free = across ? room - (shape.depth - shape.blocks) * (size.width + DEEP) : room;
  const inner = new Map(blocks.map((block) => [block.id, packed(block, edges, size, across, free / Math.max(1, across ? shape.blocks : 1))]));
  const sizeOf = (/** @type {string} */ id) => {
    const { width, height } = inner.get(id) ?? size;
    return { width, height };
  };
  return joined(laidOut(items, outer, sizeOf, across, MARGIN), inner);
}

/**
 * @param {string[]} items
 * @param {Edge[]} edges
 * @param {Set<string>} blocks
 * @returns {{ depth: number, widest: number, blocks: number }} layers, most nodes in one, most blocks behind each other
 */
function shapeOf(items, edges, blocks) {
  const ranks = new Map(items.map((id) => [id, 0]));
  const passed = new Map(items.map((id) => [id, blocks.has(id) ? 1 : 0]));
  const left = new Map(items.map((id) => [id, 0]));
  for (const [, to] of edges) left.set(to, (left.get(to) ?? 0) + 1);
  /** @type {Map<string, string[]>} */
  const behind = new Map(items.map((id) => [id, []]));
  for (const [from, to] of edges) behind.get(from)?.push(to);
  const ready = items.filter((id) => !left.get(id));
  for (let id = ready.pop(); id !== undefined; id = ready.pop())
    for (const to of behind.get(id) ?? []) {
      ranks.set(to, Math.max(ranks.get(to) ?? 0, (ranks.get(id) ?? 0) + 1));
      passed.set(to, Math.max(passed.get(to) ?? 0, (passed.get(id) ?? 0) + (blocks.has(to) ? 1 : 0)));
      left.set(to, (left.get(to) ?? 1) - 1);
      if (!left.get(to)) ready.push(to);
    }
  /** @type {number[]} */
  const counts = [];
  for (const rank of ranks.values()) counts[rank] = (counts[rank] ?? 0) + 1;
  return { depth: counts.length, widest: Math.max(0, ...counts.filter(Boolean)), blocks: Math.max(0, ...passed.values()) };
}

/**
 * @param {{ depth: number, widest: number }} shape
 * @param {Size} size
 * @param {number} room
 * @returns {boolean} whether the plan goes from left to right; else downwards, as on a phone, and where it is a long chain
 */
function goesAcross({ depth, widest }, { width }, room) {
  if (room < NARROW * width) return false;
  return depth * (width + DEEP) < 2 * room || widest * (width + GAP) > room;
}

/**
 * @param {string[]} items
 * @param {Edge[]} edges
 * @param {(id: string) => Size} sizeOf
 * @param {boolean} across
 * @param {number} margin
 * @returns {Placed}
 */
function laidOut(items, edges, sizeOf, across, margin) {
  const graph = new Graph();
  graph.setGraph({ rankdir: across ? "LR" : "TB", nodesep: GAP, ranksep: DEEP, marginx: margin, marginy: margin });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of items) graph.setNode(id, { width: sizeOf(id).width, height: sizeOf(id).height });
  for (const [from, to] of edges) graph.setEdge(from, to);
  layout(graph, items.length > LARGE ? { ranker: "longest-path", disableOptimalOrderHeuristic: true } : {});
  const nodes = items.map((id) => ({ id, x: graph.node(id).x, y: graph.node(id).y, ...sizeOf(id) }));
  /** @type {Map<number, number>} */
  const halves = new Map();
  for (const { x, y, width, height } of nodes) {
    const [at, half] = across ? [Math.round(x), width / 2] : [Math.round(y), height / 2];
    halves.set(at, Math.max(halves.get(at) ?? 0, half));
  }
  const halfAt = (/** @type {Point} */ { x, y }) => halves.get(Math.round(across ? x : y)) ?? 0;
  const lines = edges.map(([from, to]) => {
    const via = lanes(graph.edge(from, to).points).map(({ x, y }) => ({ x, y, half: halfAt({ x, y }) }));
    return { from, to, via };
  });
  const points = lines.flatMap(({ via }) => via);
  const width = points.reduce((most, { x }) => Math.max(most, x), graph.graph().width);
  const height = points.reduce((most, { y }) => Math.max(most, y), graph.graph().height);
  return { across, width, height, nodes, blocks: [], lines };
}

/**
 * Dagre puts a point on each rank that an edge passes and one between any two ranks; the former are kept.
 *
 * @param {Point[]} points with those where the edge meets its nodes
 */
function lanes(points) {
  return points.filter((_, at) => at > 0 && at < points.length - 1 && at % 2 === 0);
}

/**
 * @param {Block} block
 * @param {Edge[]} edges
 * @param {Size} size
 * @param {boolean} across
 * @param {number} most width
 * @returns {Placed} its parts in rows
 */
function packed({ parts }, edges, size, across, most) {
  const placed = parts.map((part) => {
    if (part.length === 1) return alone(part[0], size, across);
    const mine = new Set(part);
    return laidOut(part, edges.filter(([from, to]) => mine.has(from) && mine.has(to)), () => size, across, 0);
  });
  const area = placed.reduce((sum, { width, height }) => sum + (width + GAP) * (height + GAP), 0);
  const wide = Math.min(most, Math.sqrt(area * FLAT));
  /** @type {Placed} */
  const whole = { across, width: 0, height: MARGIN, nodes: [], blocks: [], lines: [] };
  let [left, tall] = [MARGIN, 0];
  for (const part of placed) {
    if (left > MARGIN && left + part.width + MARGIN > wide) {
      whole.height += tall + GAP;
      [left, tall] = [MARGIN, 0];
    }
    add(whole, part, left, whole.height);
    left += part.width + GAP;
    tall = Math.max(tall, part.height);
    whole.width = Math.max(whole.width, left - GAP + MARGIN);
  }
  whole.height += tall + MARGIN;
  return whole;
}

/**
 * @param {string} id
 * @param {Size} size
 * @param {boolean} across
 * @returns {Placed} of one node
 */
function alone(id, size, across) {
  return { ...size, across, nodes: [{ id, x: size.width / 2, y: size.height / 2, ...size }], blocks: [], lines: [] };
}

/**
 * @param {Placed} outer with a node for each block
 * @param {Map<string, Placed>} inner what is in each
 * @returns {Placed}
 */
function joined(outer, inner) {
  const whole = { ...outer, nodes: outer.nodes.filter(({ id }) => !inner.has(id)) };
  for (const box of outer.nodes) {
    const part = inner.get(box.id);
    if (!part) continue;
    add(whole, part, box.x - box.width / 2, box.y - box.height / 2);
    whole.blocks.push({ id: box.id, x: box.x, y: box.y, width: box.width, height: box.height, ids: part.nodes.map(({ id }) => id) });
  }
  return whole;
}

/**
 * @param {Placed} whole
 * @param {Placed} part
 * @param {number} left
 * @param {number} top
 */
function add(whole, part, left, top) {
  const moved = (/** @type {any} */ place) => ({ ...place, x: place.x + left, y: place.y + top });
  whole.nodes.push(...part.nodes.map(moved));
  whole.lines.push(...part.lines.map((line) => ({ ...line, via: line.via.map(moved) })));
}
