/** The top of a run's page: how it stands, what it cost, what came out, and what can be done to it. */

import { badge } from "./badge.js";
import { element } from "./element.js";
import { momentOf } from "./moment.js";
import { renew } from "./renew.js";
import { shown } from "./value.js";
import { count, duration, several, usd } from "./words.js";

/** @typedef {import("./shapes.js").RunRecord} RunRecord */

export class RunHead {
  #values = "";
  #refused = false;
  /** @type {RunRecord | null} */
  #record = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {string} path of the run
   * @param {() => void} onDone
   */
  constructor(api, path, onDone) {
    this.api = api;
    this.path = path;
    this.onDone = onDone;
    this.name = element("h1");
    this.state = element("span", { role: "status", "aria-live": "polite" });
    this.rehearsal = element("span", { class: "badge rehearsal", title: "A script answered in place of models", hidden: true }, "rehearsal");
    this.line = element("span", { class: "hint", role: "status" });
    this.facts = element("dl", { class: "facts" });
    this.deeds = element("div", { class: "deeds" });
    this.problem = element("p", { class: "problem", role: "alert", hidden: true });
    this.values = element("div", { class: "values" });
    const title = element("div", { class: "title" }, this.name, this.state, this.rehearsal, this.line, this.deeds);
    this.root = element("section", { class: "head", "aria-label": "The run" }, title, this.facts, this.problem, this.values);
    this.timer = window.setInterval(() => this.#tick(), 1000);
  }

  /**
   * Why a deed was refused stays until another is tried or the run stands differently.
   *
   * @param {RunRecord} record
   */
  update(record) {
    if (this.#record?.status !== record.status) this.#refused = false;
    this.#record = record;
    this.name.textContent = record.name;
    if (this.state.textContent !== record.status) this.state.replaceChildren(badge(record.status));
    this.rehearsal.hidden = !record.rehearsal;
    this.problem.hidden = !this.#refused;
    this.#showDeeds(record);
    this.#tick();
    this.#showValues(record);
  }

  /** @param {boolean} connected */
  connected(connected) {
    this.line.textContent = connected ? "" : "The service cannot be reached: what is shown may be old. Trying again…";
    this.line.classList.toggle("problem", !connected);
  }

  /** @param {unknown} error */
  told(error) {
    this.problem.textContent = error instanceof Error ? error.message : String(error);
    this.problem.hidden = false;
  }

  stop() {
    clearInterval(this.timer);
  }

  #tick() {
    const record = this.#record;
    if (!record) return;
    const took = (record.ended_at ?? Date.now() / 1000) - record.started_at;
    const { input_tokens: read, output_tokens: written, calls } = record.usage;
    const done = record.graph.filter(({ id }) => record.nodes[id]?.state === "done").length;
    const held = record.status === "waiting" ? record.pending.map((item) => item.held_at).filter(Boolean) : [];
    const facts = {
      Run: record.run_id,
      Started: momentOf(record.started_at),
      Took: duration(Math.max(0, took)),
      ...(held.length ? { "Has waited": duration(Math.max(0, Date.now() / 1000 - Math.min(...held))) } : {}),
      Nodes: `${done} of ${record.graph.length} done`,
      Cost: usd(record.cost_usd),
      Models: calls ? `${several(calls, "call")}, ${count(read + written)} tokens` : "not asked",
      Plan: `version ${record.plan_version}${record.replans ? `, ${several(record.replans, "replan")}` : ""}`,
    };
    const lines = Object.entries(facts).map(([name, value]) => ({
      key: name,
      told: typeof value === "string" ? value : value.textContent,
      make: () => element("div", {}, element("dt", {}, name), element("dd", {}, value)),
    }));
    renew(this.facts, /** @type {import("./renew.js").Line[]} */ (lines));
  }

  /** @param {RunRecord} record */
  #showDeeds(record) {
    const can = {
      cancel: ["running", "waiting"].includes(record.status),
      resume: ["cancelled", "failed", "partial", "interrupted"].includes(record.status) && !record.live,
    };
    if (this.deeds.dataset.can === JSON.stringify(can)) return;
    this.deeds.dataset.can = JSON.stringify(can);
    const deed = (/** @type {string} */ label, /** @type {string} */ name) =>
      element("button", { type: "button", onclick: (event) => this.#do(name, event.currentTarget) }, label);
    this.deeds.replaceChildren(
      ...(can.cancel ? [deed("Cancel", "cancel")] : []),
      ...(can.resume ? [deed("Resume", "resume")] : []),
    );
  }

  /**
   * @param {string} name
   * @param {EventTarget | null} button is not pressed twice
   */
  async #do(name, button) {
    if (button instanceof HTMLButtonElement) button.disabled = true;
    this.#refused = false;
    try {
      await this.api.post(`${this.path}/${name}`);
      this.onDone();
    } catch (error) {
      this.#refused = true;
      this.told(error);
    } finally {
      if (button instanceof HTMLButtonElement) button.disabled = false;
    }
  }

  /** @param {RunRecord} record */
  #showValues(record) {
    const values = JSON.stringify([record.status, record.output, record.error, record.inputs, record.findings, record.untrusted]);
    if (values === this.#values) return;
    this.#values = values;
    const over = record.output !== null && record.output !== undefined;
    const inputs = Object.keys(record.inputs).length > 0;
    const parts = [
      record.error !== "" && element("div", { class: "problem", role: "alert" }, record.error),
      over && element("div", { class: "result" }, element("h2", {}, "Result"), shown(record.output, "Result")),
      over &&
        record.untrusted.length > 0 &&
        element("p", { class: "hint" }, `It may hold words of strangers, from ${record.untrusted.join(", ")}.`),
      inputs && element("details", {}, element("summary", {}, "Inputs"), shown(record.inputs, "Inputs")),
      record.findings.length > 0 &&
        element(
          "details",
          {},
          element("summary", {}, `Warnings of the plan (${record.findings.length})`),
          element("ul", {}, ...record.findings.map((found) => element("li", {}, `${found.node_id ?? ""} ${found.message}`))),
        ),
    ];
    this.values.replaceChildren(...parts.filter((part) => part !== false));
  }
}
