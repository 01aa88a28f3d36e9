/** One node: goal, inputs, checks with what they saw, attempts, tool calls, votes, a panel's board, writes, output. */

import { attemptBody, attemptLine } from "./attempt.js";
import { badge } from "./badge.js";
import { board } from "./board.js";
import { element } from "./element.js";
import { renew } from "./renew.js";
import { placeOf } from "./story.js";
import { essential, shown } from "./value.js";
import { stateIn, usd } from "./words.js";

/** @typedef {import("./shapes.js").RunRecord} RunRecord */
/** @typedef {import("./shapes.js").NodeRecord} NodeRecord */
/** @typedef {import("./shapes.js").PlannedNode} PlannedNode */
/** @typedef {import("./story.js").Story} Story */
/** @typedef {import("./renew.js").Line} Line */

export class NodePanel {
  #shown = "";
  #node = "";
  /** @type {Set<string>} parts that somebody has opened or closed */
  #turned = new Set();

  /** @param {(nodeId: string) => void} onChoose of another node; empty to close this one */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.onClose = () => onChoose("");
    this.root = element("section", { class: "node-panel card", "aria-label": "Node", tabindex: -1, hidden: true });
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.onClose());
  }

  focus() {
    this.root.focus({ preventScroll: true });
    this.root.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {string} nodeId
   * @param {RunRecord} record
   * @param {Story} story
   */
  update(nodeId, record, story) {
    this.root.hidden = nodeId === "";
    const base = nodeId.replace(/\[\d+\]$/, "");
    const node = record.nodes[nodeId];
    const planned = story.nodes.get(base);
    const bodies = (node?.attempts ?? []).map((attempt) => whatHappened(nodeId, attempt, story));
    const around = aroundOf(base, record);
    const critical = record.critical_path.includes(base);
    const word = node && stateIn(node.state, record.status);
    const seen = JSON.stringify([nodeId, node, planned, bodies, around, critical, word]);
    if (seen === this.#shown || nodeId === "") return;
    if (nodeId !== this.#node) this.root.replaceChildren();
    if (nodeId !== this.#node) this.root.scrollTop = 0;
    this.#shown = seen;
    this.#node = nodeId;
    const title = element(
      "div",
      { class: "title" },
      element("h2", {}, nodeId),
      node && badge(node.state, word),
      critical && element("span", { class: "badge critical" }, "critical path"),
      node?.reused && element("span", { class: "badge" }, "reused"),
      element("button", { type: "button", "aria-label": "Close the node", onclick: this.onClose }, "✕"),
    );
    const known = node || planned;
    const parts = known ? this.#parts(nodeId, node, planned, bodies) : [element("p", { class: "hint" }, "The run has no such node.")];
    renew(this.root, [title, ...parts, this.#around(around)].filter((part) => part !== null).map(asLine));
  }

  /**
   * @param {{ before: string[], behind: string[] }} around
   * @returns {HTMLElement | null}
   */
  #around({ before, behind }) {
    const links = (/** @type {string} */ word, /** @type {string[]} */ ids) =>
      ids.length > 0 &&
      element(
        "p",
        {},
        `${word} `,
        ...ids.flatMap((id, at) => [
          at ? ", " : "",
          element("button", { type: "button", class: "link", onclick: () => this.onChoose(id) }, id),
        ]),
      );
    if (!before.length && !behind.length) return null;
    return element("div", { class: "around" }, links("Runs after", before), links("Waited for by", behind));
  }

  /**
   * @param {string} nodeId
   * @param {NodeRecord | undefined} node
   * @param {PlannedNode | undefined} planned
   * @param {import("./attempt.js").Happened[]} bodies of its attempts
   * @returns {HTMLElement[]}
   */
  #parts(nodeId, node, planned, bodies) {
    const goal = planned?.goal || node?.goal || "";
    const output = node?.output ?? null;
    const inputs = planned && Object.keys(planned.inputs ?? {}).length > 0;
    const parts = [
      goal && element("p", { class: "goal" }, goal),
      planned && element("p", { class: "hint" }, traits(planned)),
      node?.reason && element("p", { class: "problem" }, node.reason),
      output !== null && this.#part("Output", "Output", true, shown(output, "Output")),
      node?.panel && this.#part("Panel", "Panel", true, board(node.panel)),
      ...(node?.attempts ?? []).map((attempt, at, all) =>
        this.#part(`Attempt ${attempt.attempt}`, attemptLine(attempt), at === all.length - 1, attemptBody(attempt, bodies[at])),
      ),
      node && node.effects.length > 0 && this.#part("Writes", "Writes", true, shown(node.effects, "Writes")),
      inputs && this.#part("Inputs", "Inputs, as the plan says them", true, shown(planned.inputs, "Inputs, as the plan says them")),
      planned?.code && this.#part("Code", "Code", true, shown(planned.code, "Code")),
      planned && this.#part("Checks", "Checks of the plan", false, checks(planned)),
      planned && this.#part("Node in full", "Node in full", false, shown(essential(planned), `Node ${nodeId} as it was compiled`)),
    ];
    return /** @type {HTMLElement[]} */ (parts.filter(Boolean));
  }

  /**
   * @param {string} name
   * @param {string | Node} title
   * @param {boolean} open unless somebody has turned it
   * @param {Node} inside
   */
  #part(name, title, open, inside) {
    const key = `${this.#node}\n${name}`;
    const part = element("details", { "data-part": name, open: open !== this.#turned.has(key) }, element("summary", {}, title), inside);
    part.addEventListener("toggle", () => (part.open === open ? this.#turned.delete(key) : this.#turned.add(key)));
    return part;
  }
}

/**
 * @param {string} nodeId
 * @param {import("./shapes.js").Attempt} attempt
 * @param {Story} story
 * @returns {import("./attempt.js").Happened}
 */
function whatHappened(nodeId, { attempt }, story) {
  const mine = (/** @type {import("./shapes.js").RunEvent} */ event) => event.attempt === attempt;
  return {
    calls: (story.tools.get(nodeId) ?? []).filter(mine),
    samples: (story.samples.get(nodeId) ?? []).filter(mine),
    batch: story.batches.get(placeOf({ node_id: nodeId, attempt })),
  };
}

/**
 * @param {HTMLElement} made
 * @param {number} at
 * @returns {Line} that is kept for as long as it would look the same; whether it is open does not count
 */
function asLine(made, at) {
  const { part } = made.dataset;
  return { key: part ?? `${made.className} ${at}`, told: part ? made.innerHTML : made.outerHTML, make: () => made };
}

/**
 * @param {string} id
 * @param {RunRecord} record
 * @returns {{ before: string[], behind: string[] }} what it stands behind, and what stands behind it
 */
function aroundOf(id, { graph }) {
  const before = graph.find((node) => node.id === id)?.needs ?? [];
  return { before, behind: graph.filter((node) => node.needs.includes(id)).map((node) => node.id) };
}

/** @param {PlannedNode} planned */
function traits(planned) {
  const tools = (planned.tools ?? []).map((/** @type {{ tool: string }} */ grant) => grant.tool);
  const traits = [
    planned.kind,
    planned.tool,
    planned.model && `on ${planned.model}`,
    planned.kind === "worker" && `effort ${planned.effort}`,
    planned.effect === "write" && "writes",
    planned.map && "for each element of a list",
    planned.when && `when ${planned.when}`,
    planned.approve && "needs approval",
    tools.length > 0 && `may call ${tools.join(", ")}`,
    planned.max_cost_usd && `at most ${usd(planned.max_cost_usd)}`,
  ];
  return traits.filter(Boolean).join(" · ");
}

/** @param {PlannedNode} planned */
function checks(planned) {
  const all = [
    ...(planned.output ? [{ schema: planned.output }] : []),
    ...(planned.checks ?? []).map(essential),
    ...(planned.agree ? [{ agree: planned.agree }] : []),
  ];
  return all.length ? shown(all, "Checks") : element("p", { class: "hint" }, "None.");
}
