/** The plan as a picture: nodes that can be reached by keyboard, edges, the critical path. */

import { drawn, element } from "./element.js";
import { elementsOf, faceOf, SIGNS } from "./face.js";
import { Layout } from "./layout.js";
import { arrows, frame } from "./ornaments.js";
import { route } from "./route.js";
import { showTally } from "./tally.js";
import { Viewport } from "./viewport.js";
import { shortened } from "./words.js";

/** @typedef {import("./shapes.js").GraphNode} GraphNode */
/** @typedef {import("./shapes.js").NodeRecord} NodeRecord */
/** @typedef {import("./face.js").Face} Face */

const WIDTH = 190;
const HEIGHT = 54;
const MARGIN = 14;
/** Zoom at which a plan is read with ease, so that the layout knows how much of it can be seen at once. */
const EASY = 0.7;
/** Nodes that are put into the page before it is given time to answer. */
const AT_ONCE = 50;
/** What to look at first, when nothing was chosen. */
const EYE_CATCHING = ["running", "held", "failed"];

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
  /** @type {Map<string, string>} block that a node is drawn in */
  #homes = new Map();
  /** @type {Map<string, Face>} */
  #faces = new Map();
  /** @type {Set<string>} */
  #critical = new Set();
  #chosen = "";
  #shownOnce = false;

  /** @param {(nodeId: string) => void} onChoose */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.svg = drawn("svg", { role: "group", "aria-label": "Plan graph" });
    this.view = new Viewport(this.svg);
    this.note = element("p", { class: "hint", role: "status" }, "No plan yet.");
    this.tally = element("p", { class: "tally" });
    this.names = element("datalist", { id: "node-names" });
    this.root = element("div", { class: "graph" }, this.#tools(), this.note, this.view.frame, this.names);
    this.svg.addEventListener("keydown", (event) => this.#walk(event));
  }

  /**
   * @param {GraphNode[]} nodes
   * @param {Record<string, NodeRecord>} records
   * @param {string[]} critical
   * @param {string} status of the run
   */
  update(nodes, records, critical, status) {
    this.#critical = new Set(critical);
    const parts = elementsOf(records);
    this.#faces = new Map(
      nodes.map((node) => [node.id, faceOf(node, records[node.id], parts.get(node.id) ?? [], this.#critical.has(node.id), status)]),
    );
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
    this.#faces.set(nodeId, { ...face, state, word: state });
    this.#paintNode(nodeId);
  }

  /** @param {string} nodeId */
  choose(nodeId) {
    if (nodeId === this.#chosen) return;
    const before = this.#chosen;
    this.#chosen = nodeId;
    this.#paintNode(before);
    this.#paintNode(nodeId);
  }

  /** @param {string} nodeId gets the focus where it is drawn */
  focus(nodeId) {
    this.#groups.get(nodeId.replace(/\[\d+\]$/, ""))?.focus();
    this.#holdFocus();
  }

  stop() {
    this.#layout.stop();
    this.view.stop();
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
      const room = this.view.frame.clientWidth / EASY;
      try {
        await this.#draw(await this.#layout.place({ nodes: ids, edges, size: { width: WIDTH, height: HEIGHT }, room }));
        this.note.textContent = "";
      } catch (error) {
        this.note.textContent = `The graph cannot be drawn: ${error instanceof Error ? error.message : error}`;
      }
    }
    this.#busy = false;
  }

  /**
   * Draw a picture anew, a large one in parts, so that the page answers in between.
   *
   * @param {import("./layout.js").Placed} placed
   */
  async #draw(placed) {
    const focused = document.activeElement?.getAttribute("data-node");
    this.#groups.clear();
    this.#paths.clear();
    this.#homes = new Map(placed.blocks.flatMap(({ id, ids }) => ids.map((node) => [node, id])));
    const places = new Map([...placed.nodes, ...placed.blocks].map((box) => [box.id, box]));
    for (const { from, to, via } of placed.lines) {
      const [start, end] = [places.get(from), places.get(to)];
      if (!start || !end) continue;
      this.#paths.set(`${from}\n${to}`, drawn("path", { class: "edge", d: route(start, end, via, placed.across) }));
    }
    const groups = placed.nodes.map((node) => this.#group(node));
    const frames = placed.blocks.filter(({ id }) => placed.lines.some(({ from, to }) => from === id || to === id)).map(frame);
    this.svg.replaceChildren(arrows(), drawn("g", {}, ...frames), drawn("g", {}, ...this.#paths.values()));
    this.names.replaceChildren(...placed.nodes.map(({ id }) => element("option", { value: id })));
    this.view.resize({ width: placed.width + MARGIN, height: placed.height + MARGIN });
    this.#paint();
    if (!this.#shownOnce) this.#show(this.#first());
    this.#shownOnce = true;
    const layer = drawn("g");
    this.svg.append(layer);
    for (let at = 0; at < groups.length; at += AT_ONCE) {
      if (at) await new Promise((done) => setTimeout(done));
      layer.append(...groups.slice(at, at + AT_ONCE));
    }
    if (focused && document.activeElement === document.body) this.#groups.get(focused)?.focus();
  }

  /** @returns {string} the node that somebody who has just come wants to see */
  #first() {
    if (this.#chosen) return this.#chosen;
    for (const state of EYE_CATCHING) for (const [id, face] of this.#faces) if (face.state === state) return id;
    return this.#groups.keys().next().value ?? "";
  }

  /** @param {string} id */
  #show(id) {
    const group = this.#groups.get(id.replace(/\[\d+\]$/, ""));
    if (group) this.view.show(Number(group.dataset.x), Number(group.dataset.y));
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
      drawn("text", { class: "sign", x: 12, y: 22, "aria-hidden": "true" }),
      drawn("text", { class: "name", x: 30, y: 22, "aria-hidden": "true" }, shortened(id, 20)),
      drawn("text", { class: "facts", x: 12, y: 42, "aria-hidden": "true" }),
      drawn("rect", { class: "mark", x: 12, y: HEIGHT - 6, width: WIDTH - 24, height: 3, rx: 1.5 }),
    );
    this.#groups.set(id, group);
    return group;
  }

  #paint() {
    for (const id of this.#groups.keys()) this.#paintNode(id);
    const path = [...this.#critical];
    const home = (/** @type {string} */ id) => this.#homes.get(id) ?? id;
    const steps = new Set(path.flatMap((id, at) => [`${path[at - 1]}\n${id}`, `${home(path[at - 1])}\n${home(id)}`]));
    for (const [ends, edge] of this.#paths) edge.classList.toggle("critical", steps.has(ends));
    showTally(this.tally, this.#faces.values(), this.#critical.size > 1);
  }

  /** @param {string} id */
  #paintNode(id) {
    const group = this.#groups.get(id);
    const face = this.#faces.get(id);
    if (!group || !face) return;
    const chosen = id === this.#chosen.replace(/\[\d+\]$/, "");
    const told = `${face.state}${this.#critical.has(id) ? " critical" : ""}${chosen ? " chosen" : ""}\n${face.word}\n${face.facts}`;
    if (group.dataset.told === told) return;
    group.dataset.told = told;
    group.setAttribute("class", `node ${told.split("\n")[0]}`);
    group.setAttribute("data-state", face.state);
    group.setAttribute("aria-pressed", String(chosen));
    const [title, , sign, , facts] = group.children;
    title.textContent = `${id}, ${face.word}${face.spoken}`;
    sign.textContent = SIGNS[face.state] ?? "?";
    facts.textContent = shortened(face.facts || face.word, 26);
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
    const tool = (/** @type {string} */ label, /** @type {string} */ text, /** @type {() => void} */ onclick) =>
      element("button", { type: "button", "aria-label": label, title: label, onclick }, text);
    return element(
      "div",
      { class: "graph-tools" },
      this.tally,
      element("input", {
        type: "search",
        list: "node-names",
        placeholder: "Find a node",
        "aria-label": "Find a node",
        onchange: (event) => this.#find(/** @type {HTMLInputElement} */ (event.target)),
      }),
      tool("Zoom in", "+", () => this.view.scale(this.view.zoom * 1.25)),
      tool("Zoom out", "−", () => this.view.scale(this.view.zoom / 1.25)),
      tool("Fit the width, as far as it can be read", "width", () => this.view.fit("width")),
      tool("Fit all", "all", () => this.view.fit("whole")),
    );
  }

  /** @param {HTMLInputElement} field */
  #find(field) {
    const word = field.value.trim().toLowerCase();
    const ids = [...this.#groups.keys()];
    const id = ids.find((each) => each.toLowerCase() === word) ?? ids.find((each) => each.toLowerCase().includes(word));
    field.setCustomValidity(word && !id ? "No node is called so." : "");
    field.reportValidity();
    if (!word || !id) return;
    this.#show(id);
    this.onChoose(id);
  }
}
