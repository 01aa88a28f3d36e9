/** One card of what waits: what it is about, a note, and the ways to answer. */

import { element } from "./element.js";
import { momentOf } from "./moment.js";
import { shown } from "./value.js";

/** @typedef {import("./shapes.js").Pending} Pending */
/** @typedef {(answer: Record<string, unknown>) => Promise<void>} Send */
/** @typedef {{ yes: string, no: string, note: string }} Words */

/** @type {Record<string, Words>} */
const WORDS = {
  approval: { yes: "Approve", no: "Reject", note: "Note or reason (told to the worker, and kept)" },
  attempt: { yes: "Try again", no: "Give up", note: "Note for the next attempt" },
  question: { yes: "Answer", no: "Do not answer", note: "Answer" },
  effect: { yes: "Make the write again", no: "Fail the node", note: "Note" },
  flow: { yes: "Let this call through", no: "Refuse", note: "Note or reason" },
};

export class Ask {
  /**
   * @param {Pending} item
   * @param {unknown} about
   * @param {string} goal of the node; empty for none
   * @param {Send} send
   */
  constructor(item, about, goal, send) {
    this.item = item;
    this.send = send;
    this.words = WORDS[item.kind] ?? WORDS.approval;
    this.name = item.node_id ?? "plan";
    this.note = element("textarea", { rows: 2, required: item.kind === "question" });
    this.result = element("textarea", { rows: 2, spellcheck: "false" });
    this.problem = element("p", { class: "problem", role: "alert", hidden: true });
    this.buttons = element("div", { class: "deeds" }, ...this.#buttons());
    this.root = element(
      "article",
      { class: "card waits", "data-node": this.name, "aria-label": `${this.name} waits` },
      element("h2", {}, item.node_id ? `${item.node_id} waits for you` : "The plan waits for you"),
      element("p", {}, item.reason),
      goal && element("p", {}, "Goal: ", goal),
      ...this.#about(about),
      element("label", {}, this.words.note, this.note),
      item.kind === "effect" && this.#happened(),
      this.buttons,
      this.problem,
      element("p", { class: "hint" }, "Your answer is for ", element("code", {}, item.bound_to), ". If something else waits by then, it is refused."),
    );
  }

  /**
   * @param {unknown} about
   * @returns {Node[]}
   */
  #about(about) {
    const since = this.item.held_at ? [", which has waited since ", momentOf(this.item.held_at)] : [];
    const exact = shown(about, `What is decided about ${this.name}`);
    if (this.item.node_id === null)
      return [nodesOf(about), element("details", {}, element("summary", {}, "The plan in full"), exact)];
    return [element("p", { class: "hint" }, "You decide about exactly this", ...since, ":"), exact];
  }

  #buttons() {
    const yes = element("button", { type: "button", class: "main", onclick: () => this.#answer(true) }, this.words.yes);
    const no = element("button", { type: "button", onclick: () => this.#answer(false) }, this.words.no);
    return [yes, no];
  }

  #happened() {
    return element(
      "details",
      {},
      element("summary", {}, "It did happen"),
      element("label", {}, "What the tool would have returned, as JSON", this.result),
      element("button", { type: "button", onclick: () => this.#saidToHaveHappened() }, "Take it as done"),
    );
  }

  #saidToHaveHappened() {
    let result = null;
    try {
      if (this.result.value.trim()) result = JSON.parse(this.result.value);
    } catch (error) {
      return this.#tell(`The result must be JSON: ${error instanceof Error ? error.message : error}`);
    }
    void this.#answer(true, { happened: true, result });
  }

  /**
   * @param {boolean} approved
   * @param {Record<string, unknown>} [more]
   */
  async #answer(approved, more = {}) {
    if (approved && !this.note.reportValidity()) return;
    this.problem.hidden = true;
    this.#lock(true);
    try {
      await this.send({ node: this.name, bound_to: this.item.bound_to, approved, note: this.note.value, ...more });
    } catch (error) {
      this.#tell(error instanceof Error ? error.message : String(error));
      this.#lock(false);
    }
  }

  /** @param {boolean} locked */
  #lock(locked) {
    for (const button of this.root.querySelectorAll("button")) button.disabled = locked;
  }

  /** @param {string} text */
  #tell(text) {
    this.problem.textContent = text;
    this.problem.hidden = false;
  }
}

/** @param {any} plan */
function nodesOf(plan) {
  const lines = plan.nodes.map((/** @type {Record<string, any>} */ node) => {
    const tools = (node.tools ?? []).map((/** @type {{ tool: string }} */ grant) => grant.tool);
    const facts = [node.kind, node.tool, ...tools, node.needs && `after ${node.needs.join(", ")}`].filter(Boolean);
    return element(
      "li",
      {},
      element("code", {}, node.id),
      node.effect === "write" && element("span", { class: "badge held" }, "writes"),
      element("small", { class: "hint" }, ` ${facts.join(" · ")} `),
      node.goal ? element("div", {}, node.goal) : null,
    );
  });
  return element("ol", { class: "plan-nodes", "aria-label": "Nodes of the plan" }, ...lines);
}
