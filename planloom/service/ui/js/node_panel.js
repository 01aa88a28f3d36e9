/** One node: goal, inputs, checks with what they saw, attempts, tool calls, writes, output. */

import { essential } from "./approvals.js";
import { badge } from "./badge.js";
import { element } from "./element.js";
import { shown } from "./value.js";
import { count, duration, usd } from "./words.js";

/** @typedef {import("./shapes.js").RunRecord} RunRecord */
/** @typedef {import("./shapes.js").NodeRecord} NodeRecord */
/** @typedef {import("./shapes.js").Attempt} Attempt */
/** @typedef {import("./shapes.js").RunEvent} RunEvent */

export class NodePanel {
  #shown = "";
  /** @type {Set<string>} */
  #open = new Set();

  /** @param {() => void} onClose */
  constructor(onClose) {
    this.onClose = onClose;
    this.root = element("aside", { class: "node-panel card", "aria-label": "Node", tabindex: -1, hidden: true });
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && onClose());
  }

  focus() {
    this.root.focus({ preventScroll: true });
    this.root.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {string} nodeId
   * @param {RunRecord} record
   * @param {import("./story.js").Story} story
   */
  update(nodeId, record, story) {
    this.root.hidden = nodeId === "";
    const base = nodeId.replace(/\[\d+\]$/, "");
    const node = record.nodes[nodeId];
    const planned = story.nodes.get(base);
    const calls = story.tools.get(nodeId) ?? [];
    const seen = JSON.stringify([nodeId, node, planned, calls.length]);
    if (seen === this.#shown || nodeId === "") return;
    this.#shown = seen;
    const critical = record.critical_path.includes(base);
    this.root.replaceChildren(
      element(
        "div",
        { class: "title" },
        element("h2", {}, nodeId),
        node && badge(node.state),
        critical && element("span", { class: "badge" }, "critical path"),
        element("button", { type: "button", "aria-label": "Close the node", onclick: this.onClose }, "✕"),
      ),
      ...this.#parts(nodeId, node, planned, calls),
    );
  }

  /**
   * @param {string} nodeId
   * @param {NodeRecord | undefined} node
   * @param {Record<string, any> | undefined} planned
   * @param {RunEvent[]} calls
   * @returns {Node[]}
   */
  #parts(nodeId, node, planned, calls) {
    const goal = planned?.goal || node?.goal || "";
    const parts = [
      goal && element("p", { class: "goal" }, goal),
      node?.reason && element("p", { class: "problem" }, node.reason),
      node && node.output !== null && this.#part("Output", true, shown(node.output, "Output")),
      planned && this.#part("Inputs", true, shown(planned.inputs ?? {}, "Inputs, as the plan says them")),
      planned?.code && this.#part("Code", true, shown(planned.code, "Code")),
      planned && this.#part("Checks", false, checks(planned)),
      ...(node?.attempts ?? []).map((attempt, at, all) =>
        this.#part(`Attempt ${attempt.attempt}`, at === all.length - 1, attempted(attempt, callsOf(calls, attempt))),
      ),
      node && node.effects.length > 0 && this.#part("Writes", true, shown(node.effects, "Writes")),
      node?.panel ? this.#part("Panel", false, shown(node.panel, "Panel")) : null,
      planned && this.#part("Node in full", false, shown(essential(planned), `Node ${nodeId} as it was compiled`)),
    ];
    return /** @type {Node[]} */ (parts.filter(Boolean));
  }

  /**
   * @param {string} name
   * @param {boolean} open
   * @param {Node} inside
   */
  #part(name, open, inside) {
    const turned = this.#open.has(name);
    const part = element("details", { open: open !== turned }, element("summary", {}, name), inside);
    part.addEventListener("toggle", () => (part.open === open ? this.#open.delete(name) : this.#open.add(name)));
    return part;
  }
}

/**
 * @param {RunEvent[]} calls
 * @param {Attempt} attempt
 */
function callsOf(calls, attempt) {
  return calls.filter((call) => call.attempt === attempt.attempt);
}

/** @param {Record<string, any>} planned */
function checks(planned) {
  const all = [
    ...(planned.output ? [{ schema: planned.output }] : []),
    ...(planned.checks ?? []).map(essential),
    ...(planned.agree ? [{ agree: planned.agree }] : []),
  ];
  return all.length ? shown(all, "Checks") : element("p", { class: "hint" }, "None.");
}

/**
 * @param {Attempt} attempt
 * @param {RunEvent[]} calls
 */
function attempted(attempt, calls) {
  const took = attempt.ended_at === null ? "under way" : duration(attempt.ended_at - attempt.started_at);
  const model = attempt.model && attempt.model !== attempt.rung ? `${attempt.rung} (${attempt.model})` : attempt.rung;
  const { calls: asked, input_tokens: read, output_tokens: written } = attempt.usage;
  const facts = [
    model,
    took,
    asked ? `${count(asked)} calls, ${count(read)} + ${count(written)} tokens` : "",
    attempt.cost_usd ? usd(attempt.cost_usd) : "",
  ];
  const verdict = attempt.ended_at === null ? "running" : attempt.ok ? "done" : "failed";
  return element(
    "div",
    { class: "attempt" },
    element("p", {}, badge(verdict), " ", facts.filter(Boolean).join(" · ")),
    attempt.message && element("p", { class: "problem" }, `${attempt.failure}: ${attempt.message}`),
    attempt.evidence.length > 0 && element("ul", { class: "evidence" }, ...attempt.evidence.map(evidence)),
    calls.length > 0 && element("ul", { class: "tool-calls", "aria-label": "Tool calls" }, ...calls.map(toolCall)),
    attempt.trace && shown(attempt.trace, "Traceback"),
  );
}

/** @param {import("./shapes.js").Evidence} item */
function evidence(item) {
  const told = [
    item.expected && `expected ${item.expected}`,
    item.found && `found ${item.found}`,
    item.where && `at ${item.where}`,
  ];
  const more = told.filter(Boolean).join(", ");
  const sign = item.passed ? "✓ passed" : "✗ failed";
  return element("li", { class: item.passed ? "passed" : "not-passed" }, `${sign}: ${item.check}${more && `, ${more}`}`);
}

/** @param {RunEvent} call */
function toolCall(call) {
  return element(
    "li",
    {},
    element("code", {}, call.tool),
    ` ${duration(call.seconds)} `,
    call.error && element("span", { class: "problem" }, call.error),
    shown(call.args, `Arguments of ${call.tool}`),
  );
}
