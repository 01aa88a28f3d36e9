/** The plan as a picture: nodes that can be reached by keyboard, edges, the critical path. */

import { drawn, element } from "./element.js";
import { Layout } from "./layout.js";
import { shortened, usd } from "./words.js";

/** @typedef {import("./shapes.js").GraphNode} GraphNode */
/** @typedef {import("./shapes.js").NodeRecord} NodeRecord */
/** @typedef {{ state: string, facts: string, spoken: string }} Face */

const WIDTH = 190;
const HEIGHT = 54;
/** States are told by a sign as well as by a colour. */
/** @type {Record<string, string>} */
const SIGNS = { pending: "○", running: "●", done: "✓", failed: "✗", skipped: "–", held: "‖", removed: "×" };

export class Graph {
  #layout = new Layout();
  #shape = "";
  #busy = false;
  /** @type {GraphNode[] | null} */
  #next = null;
  /** @type {Map<string, SVGGElement>} */
  #groups = new Map();
  /** @type {Map<string, SVGPathElement>} */
  #paths = new Map();
  /** @type {Map<string, Face>} */
  #faces = new Map();
  /** @type {Set<string>} */
  #critical = new Set();
  #chosen = "";
  #size = { width: 1, height: 1 };
  #zoom = 1;
  #fits = true;

  /** @param {(nodeId: string) => void} onChoose */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.svg = drawn("svg", { role: "group", "aria-label": "Plan graph" });
    this.note = element("p", { class: "hint", role: "status" }, "No plan yet.");
    this.scroller = element("div", { class: "graph-scroll" }, this.svg);
    this.root = element("div", { class: "graph" }, this.#tools(), this.note, this.scroller);
    this.svg.addEventListener("keydown", (event) => this.#walk(event));
  }

  /**
   * @param {GraphNode[]} nodes
   * @param {Record<string, NodeRecord>} records
   * @param {string[]} critical
   */
  update(nodes, records, critical) {
    this.#critical = new Set(critical);
    for (const node of nodes) this.#faces.set(node.id, faceOf(node, records, this.#critical));
    const shape = JSON.stringify(nodes.map((node) => [node.id, node.needs]));
    if (shape === this.#shape || nodes.length === 0) this.#paint();
    else {
      this.#shape = shape;
      this.#next = nodes;
      void this.#arrange();
    }
  }

  /**
   * Show a state before the record tells the rest.
   *
   * @param {string} nodeId
   * @param {string} state
   */
  light(nodeId, state) {
    const face = this.#faces.get(nodeId);
    if (!face) return;
    this.#faces.set(nodeId, { ...face, state });
    this.#paintNode(nodeId);
  }

  /** @param {string} nodeId */
  choose(nodeId) {
    this.#chosen = nodeId;
    this.#paint();
  }

  stop() {
    this.#layout.stop();
  }

  async #arrange() {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#next) {
      const nodes = this.#next;
      this.#next = null;
      const ids = nodes.map((node) => node.id);
      const known = new Set(ids);
      /** @type {[string, string][]} */
      const edges = nodes.flatMap((node) =>
        node.needs.filter((need) => known.has(need)).map((need) => /** @type {[string, string]} */ ([need, node.id])),
      );
      this.note.textContent = ids.length > 100 ? `Arranging ${ids.length} nodes…` : "";
      const direction = this.scroller.clientWidth < 640 ? "TB" : "LR";
      try {
        this.#draw(await this.#layout.place({ nodes: ids, edges, width: WIDTH, height: HEIGHT, direction }));
        this.note.textContent = "";
      } catch (error) {
        this.note.textContent = `The graph cannot be drawn: ${error instanceof Error ? error.message : error}`;
      }
    }
    this.#busy = false;
  }

  /** @param {import("./layout.js").Placed} placed */
  #draw(placed) {
    const focused = document.activeElement?.getAttribute("data-node");
    this.#groups.clear();
    this.#paths.clear();
    const paths = placed.edges.map(({ from, to, points }) => {
      const path = drawn("path", { class: "edge", d: curve(points), "data-from": from, "data-to": to });
      this.#paths.set(`${from}\n${to}`, path);
      return path;
    });
    const groups = placed.nodes.map((node) => this.#group(node));
    this.svg.replaceChildren(arrow(), drawn("g", {}, ...paths), drawn("g", {}, ...groups));
    const points = placed.edges.flatMap((edge) => edge.points);
    const most = (/** @type {number} */ sum, /** @type {number} */ value) => Math.max(sum, value + 12);
    this.#size = {
      width: points.map(({ x }) => x).reduce(most, placed.width),
      height: points.map(({ y }) => y).reduce(most, placed.height),
    };
    this.#scale(this.#fits ? this.#fitting() : this.#zoom);
    this.#paint();
    if (focused) this.#groups.get(focused)?.focus();
  }

  /** @param {{ id: string, x: number, y: number }} place */
  #group({ id, x, y }) {
    const group = drawn(
      "g",
      {
        role: "button",
        tabindex: this.#groups.size ? -1 : 0,
        transform: `translate(${x - WIDTH / 2} ${y - HEIGHT / 2})`,
        "data-node": id,
        "data-x": x,
        "data-y": y,
        onclick: () => this.onChoose(id),
      },
      drawn("title"),
      drawn("rect", { width: WIDTH, height: HEIGHT, rx: 8 }),
      drawn("text", { class: "sign", x: 12, y: 22 }),
      drawn("text", { class: "name", x: 30, y: 22 }, shortened(id, 20)),
      drawn("text", { class: "facts", x: 12, y: 42 }),
    );
    this.#groups.set(id, group);
    return group;
  }

  #paint() {
    for (const id of this.#groups.keys()) this.#paintNode(id);
    const path = [...this.#critical];
    const steps = new Set(path.map((id, at) => `${path[at - 1]}\n${id}`));
    for (const [ends, edge] of this.#paths) edge.classList.toggle("critical", steps.has(ends));
  }

  /** @param {string} id */
  #paintNode(id) {
    const group = this.#groups.get(id);
    const face = this.#faces.get(id);
    if (!group || !face) return;
    const chosen = id === this.#chosen;
    const critical = this.#critical.has(id) ? " critical" : "";
    group.setAttribute("class", `node ${face.state}${critical}${chosen ? " chosen" : ""}`);
    group.setAttribute("data-state", face.state);
    group.setAttribute("aria-label", `${id}, ${face.state}${face.spoken}`);
    group.setAttribute("aria-pressed", String(chosen));
    const [title, , sign, , facts] = group.children;
    title.textContent = `${id}\n${face.state}${face.spoken}`;
    sign.textContent = SIGNS[face.state] ?? "?";
    facts.textContent = face.facts || face.state;
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const at = event.target instanceof SVGGElement ? event.target : null;
    if (!at) return;
    if (event.key === "Enter" || event.key === " ") this.onChoose(at.getAttribute("data-node") ?? "");
    else if (!event.key.startsWith("Arrow")) return;
    else this.#nearest(at, event.key)?.focus();
    event.preventDefault();
    this.#holdFocus();
  }

  #holdFocus() {
    const at = document.activeElement;
    for (const group of this.#groups.values()) group.setAttribute("tabindex", group === at ? "0" : "-1");
  }

  /**
   * @param {SVGGElement} at
   * @param {string} key
   * @returns {SVGGElement | null} the nearest node on that side
   */
  #nearest(at, key) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1] }[key] ?? [0, 1];
    let found = null;
    let least = Infinity;
    for (const group of this.#groups.values()) {
      const x = Number(group.dataset.x) - Number(at.dataset.x);
      const y = Number(group.dataset.y) - Number(at.dataset.y);
      const along = x * dx + y * dy;
      const away = along + 2 * Math.abs(x * dy + y * dx);
      if (along > 1 && away < least) [found, least] = [group, away];
    }
    return found;
  }

  #tools() {
    const zoom = (/** @type {string} */ label, /** @type {string} */ text, /** @type {() => number} */ to) => {
      const onclick = () => {
        this.#fits = label === "Fit";
        this.#scale(to());
      };
      return element("button", { type: "button", "aria-label": label, title: label, onclick }, text);
    };
    return element(
      "div",
      { class: "graph-tools" },
      zoom("Zoom in", "+", () => this.#zoom * 1.25),
      zoom("Zoom out", "−", () => this.#zoom / 1.25),
      zoom("Fit", "fit", () => this.#fitting()),
    );
  }

  #fitting() {
    return Math.max(0.6, Math.min(1, (this.scroller.clientWidth - 4) / this.#size.width));
  }

  /** @param {number} zoom */
  #scale(zoom) {
    this.#zoom = Math.max(0.1, Math.min(3, zoom));
    const { width, height } = this.#size;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("width", String(width * this.#zoom));
    this.svg.setAttribute("height", String(height * this.#zoom));
  }
}

/**
 * @param {GraphNode} node
 * @param {Record<string, NodeRecord>} records
 * @param {Set<string>} critical
 * @returns {Face}
 */
function faceOf(node, records, critical) {
  const record = records[node.id];
  const parts = node.map ? Object.keys(records).filter((id) => id.startsWith(`${node.id}[`)) : [];
  const done = parts.filter((id) => records[id].state === "done").length;
  const attempts = record?.attempts ?? [];
  const last = attempts[attempts.length - 1];
  const cost = [node.id, ...parts].reduce((sum, id) => sum + (records[id]?.cost_usd ?? 0), 0);
  const facts = [
    last?.rung || node.tool || (node.kind === "worker" ? "" : node.kind),
    parts.length ? `${done}/${parts.length}` : "",
    attempts.length > 1 ? `×${attempts.length}` : "",
    cost ? usd(cost) : "",
  ].filter(Boolean);
  const spoken = `${facts.map((fact) => `, ${fact}`).join("")}${critical.has(node.id) ? ", on the critical path" : ""}`;
  return { state: record?.state ?? "pending", facts: facts.join(" · "), spoken };
}

/** @param {import("./layout.js").Point[]} points */
function curve(points) {
  const [first, ...rest] = points;
  let path = `M${first.x} ${first.y}`;
  for (let at = 0; at < rest.length - 1; at++) {
    const [here, next] = [rest[at], rest[at + 1]];
    const end = at === rest.length - 2 ? next : { x: (here.x + next.x) / 2, y: (here.y + next.y) / 2 };
    path += `Q${here.x} ${here.y} ${end.x} ${end.y}`;
  }
  return rest.length === 1 ? `${path}L${rest[0].x} ${rest[0].y}` : path;
}

function arrow() {
  const tip = drawn("path", { d: "M0 0L7 3.5L0 7z" });
  const box = { id: "tip", markerWidth: 7, markerHeight: 7, refX: 6.5, refY: 3.5, orient: "auto" };
  return drawn("defs", {}, drawn("marker", { ...box, markerUnits: "userSpaceOnUse" }, tip));
}
