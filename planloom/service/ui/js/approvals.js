/** What waits for a person: exactly what is decided about, and the answer. */

import { element } from "./element.js";
import { moment } from "./words.js";
import { shown } from "./value.js";

/** @typedef {import("./shapes.js").Pending} Pending */
/** @typedef {import("./shapes.js").RunRecord} RunRecord */
/** @typedef {import("./story.js").Story} Story */
/** @typedef {{ yes: string, no: string, note: string }} Words */

/** @type {Record<string, Words>} */
const WORDS = {
  approval: { yes: "Approve", no: "Reject", note: "Note (told to the worker, and kept)" },
  attempt: { yes: "Try again", no: "Give up", note: "Note for the next attempt" },
  question: { yes: "Answer", no: "Do not answer", note: "Answer" },
  effect: { yes: "Make the write again", no: "Fail the node", note: "Note" },
  flow: { yes: "Let this call through", no: "Refuse", note: "Note" },
};

export class Approvals {
  /** @type {Map<string, HTMLElement>} */
  #cards = new Map();

  /**
   * @param {import("./api.js").Api} api
   * @param {string} path of the run
   * @param {() => void} onDone
   */
  constructor(api, path, onDone) {
    this.api = api;
    this.path = path;
    this.onDone = onDone;
    this.root = element("section", { class: "approvals", "aria-label": "What waits for you", "aria-live": "polite" });
  }

  /**
   * Cards of what still waits stay as they are, with what is typed into them.
   *
   * @param {RunRecord} record
   * @param {Story} story
   */
  update(record, story) {
    const waiting = new Map(record.pending.map((item) => [`${item.node_id}\n${item.bound_to}`, item]));
    for (const [key, card] of this.#cards) {
      if (waiting.has(key)) continue;
      card.remove();
      this.#cards.delete(key);
    }
    for (const [key, item] of waiting) {
      if (this.#cards.has(key) || (item.node_id === null && !planOf(record, story))) continue;
      const card = this.#card(item, item.node_id === null ? planOf(record, story) : item.shown, story);
      this.#cards.set(key, card);
      this.root.append(card);
    }
    this.root.hidden = this.#cards.size === 0;
  }

  /**
   * @param {Pending} item
   * @param {unknown} about
   * @param {Story} story
   */
  #card(item, about, story) {
    const words = WORDS[item.kind] ?? WORDS.approval;
    const name = item.node_id ?? "plan";
    const note = element("textarea", { rows: 2, required: item.kind === "question" });
    const problem = element("p", { class: "problem", role: "alert", hidden: true });
    const result = element("textarea", { rows: 2, spellcheck: "false" });
    const happened = item.kind === "effect" && this.#happened(result, (value) => answer(true, true, value), problem);
    const answer = async (/** @type {boolean} */ approved, done = false, /** @type {unknown} */ value = null) => {
      const said = { node: name, bound_to: item.bound_to, approved, note: note.value };
      const all = done ? { ...said, happened: true, result: value } : said;
      await this.#send({ answers: [all] }, problem);
    };
    const yes = element("button", { type: "button", class: "main", onclick: () => answer(true) }, words.yes);
    const no = element("button", { type: "button", onclick: () => answer(false) }, words.no);
    const goal = item.node_id ? story.nodes.get(item.node_id.replace(/\[\d+\]$/, ""))?.goal : "";
    return element(
      "article",
      { class: "card waits", "data-node": name },
      element("h2", {}, item.node_id ? `${item.node_id} waits for you` : "The plan waits for you"),
      element("p", {}, item.reason),
      goal && element("p", {}, "Goal: ", goal),
      element("p", { class: "hint" }, "You decide about exactly this", since(item), ":"),
      shown(about, `What is decided about ${name}`),
      element("p", { class: "hint" }, "Digest ", element("code", {}, item.bound_to), ". If something else waits by then, your answer is refused."),
      element("label", {}, words.note, note),
      happened,
      element("div", { class: "deeds" }, yes, no),
      problem,
    );
  }

  /**
   * @param {HTMLTextAreaElement} result
   * @param {(value: unknown) => Promise<void>} answer
   * @param {HTMLElement} problem
   */
  #happened(result, answer, problem) {
    const send = async () => {
      try {
        await answer(result.value.trim() ? JSON.parse(result.value) : null);
      } catch (error) {
        problem.textContent = `The result must be JSON: ${error instanceof Error ? error.message : error}`;
        problem.hidden = false;
      }
    };
    return element(
      "div",
      {},
      element("label", {}, "If the write did happen: its result, as JSON", result),
      element("button", { type: "button", onclick: send }, "It did happen"),
    );
  }

  /**
   * @param {unknown} body
   * @param {HTMLElement} problem
   */
  async #send(body, problem) {
    problem.hidden = true;
    try {
      await this.api.post(`${this.path}/approve`, body);
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error);
      problem.hidden = false;
    }
    this.onDone();
  }
}

/** @param {Pending} item */
function since(item) {
  return item.held_at ? `, which waits since ${moment(item.held_at)}` : "";
}

/**
 * @param {RunRecord} record
 * @param {Story} story
 * @returns {unknown} the plan in force as it was compiled; undefined while its event is not here yet
 */
function planOf(record, story) {
  const found = story.versions.find(({ version }) => version === record.plan_version);
  return found && { nodes: Object.values(found.nodes).map(essential), output: found.output };
}

/**
 * @param {Record<string, unknown>} fields
 * @returns {Record<string, unknown>} without what says nothing
 */
export function essential(fields) {
  const says = (/** @type {unknown} */ value) =>
    !(value === null || value === "" || value === false || (typeof value === "object" && !Object.keys(value ?? {}).length));
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => says(value)));
}
