/** What waits for a person: exactly what is decided about, and the answer. */

import { Ask } from "./ask.js";
import { element } from "./element.js";
import { essential } from "./value.js";

/** @typedef {import("./shapes.js").RunRecord} RunRecord */
/** @typedef {import("./story.js").Story} Story */

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
    for (const [key, card] of this.#cards) if (!waiting.has(key)) this.#drop(key, card);
    for (const [key, item] of waiting) {
      const about = item.node_id === null ? planOf(record, story) : item.shown;
      if (this.#cards.has(key) || about === undefined) continue;
      const goal = item.node_id ? story.nodes.get(item.node_id.replace(/\[\d+\]$/, ""))?.goal : "";
      const card = new Ask(item, about, goal, (answer) => this.#send(answer)).root;
      this.#cards.set(key, card);
      this.root.append(card);
    }
    this.root.hidden = this.#cards.size === 0;
  }

  /**
   * @param {string} key
   * @param {HTMLElement} card
   */
  #drop(key, card) {
    const held = card.contains(document.activeElement);
    card.remove();
    this.#cards.delete(key);
    if (held) document.getElementById("main")?.focus({ preventScroll: true });
  }

  /** @param {Record<string, unknown>} answer */
  async #send(answer) {
    try {
      await this.api.post(`${this.path}/approve`, { answers: [answer] });
    } finally {
      this.onDone();
    }
  }
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
