/** The list of runs: newest first, by state, workflow and words, page by page. What is shown stands in the address. */

import { addressOf } from "./address.js";
import { badge } from "./badge.js";
import { element } from "./element.js";
import { momentOf } from "./moment.js";
import { showTable } from "./renew.js";
import { Turns } from "./turns.js";
import { duration, usd } from "./words.js";

/** @typedef {import("./shapes.js").RunLine} RunLine */
/** @typedef {import("./address.js").Address} Address */

const STATUSES = ["running", "waiting", "done", "partial", "failed", "cancelled", "interrupted"];
const EVERY_MS = 4000;
const PAGE = "25";
const HEADS = ["Run", "Workflow", "State", "Started", "#Took", "#Cost"];

export class RunsPage {
  title = "Runs";
  #timer = 0;
  /** @type {Map<string, string>} cursor of the page before each */
  #before = new Map();
  #shown = "";
  #turns = new Turns();

  /**
   * @param {import("./api.js").Api} api
   * @param {HTMLElement} root
   * @param {Address} address
   */
  constructor(api, root, { query }) {
    this.api = api;
    this.root = root;
    this.query = query;
    this.status = element("select", { id: "status", onchange: () => this.#filter() });
    this.workflow = element("select", { id: "workflow", onchange: () => this.#filter() });
    this.find = element("input", { id: "find", type: "search", placeholder: "id or workflow", maxlength: 100 });
    this.table = element("div", { class: "table runs" });
    this.pager = element("div", { class: "pager" });
    this.problem = element("p", { class: "problem", role: "alert" });
  }

  async open() {
    this.#timer = window.setInterval(() => document.hidden || this.#renew(), EVERY_MS);
    const { workflows } = await this.api.get("/workflows");
    this.status.append(...["", ...STATUSES].map((name) => element("option", { value: name }, name || "any")));
    const names = ["", ...workflows.map((/** @type {{ name: string }} */ line) => line.name)];
    this.workflow.append(...names.map((name) => element("option", { value: name }, name || "any")));
    const search = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.#filter();
    };
    this.root.replaceChildren(
      element("h1", {}, "Runs"),
      element(
        "form",
        { class: "filters", role: "search", onsubmit: search },
        element("label", {}, "State ", this.status),
        element("label", {}, "Workflow ", this.workflow),
        element("label", {}, "Find ", this.find),
        element("button", { type: "submit" }, "Find"),
        element("a", { class: "button main", href: "#/start" }, "Start a run"),
      ),
      this.problem,
      this.table,
      this.pager,
    );
    this.#fill({});
    await this.#load();
  }

  close() {
    clearInterval(this.#timer);
  }

  /**
   * @param {Address} address
   * @returns {boolean} whether it is of the list
   */
  goTo({ parts, query }) {
    if (parts[0] !== "runs" || parts[1]) return false;
    const before = this.query;
    this.query = query;
    this.#fill(before);
    this.#turns.drop();
    void this.#renew();
    return true;
  }

  /**
   * Fields whose part of the address stays as it was keep what is typed into them.
   *
   * @param {Record<string, string>} before
   */
  #fill(before) {
    for (const [name, field] of Object.entries({ status: this.status, workflow: this.workflow, find: this.find })) {
      const value = this.query[name] ?? "";
      if (value !== (before[name] ?? "")) field.value = value;
    }
  }

  #filter() {
    const asked = { status: this.status.value, workflow: this.workflow.value, find: this.find.value.trim() };
    location.hash = addressOf(["runs"], asked);
  }

  async #renew() {
    try {
      await this.#load();
    } catch (error) {
      this.problem.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  async #load() {
    const { status = "", workflow = "", find = "", after = "" } = this.query;
    const page = this.api.get("/runs", { status, workflow, find, cursor: after, limit: PAGE });
    await this.#turns.show(page, (found) => this.#draw(found));
  }

  /** @param {{ runs: RunLine[], next_cursor: string | null }} page */
  #draw(page) {
    this.problem.textContent = "";
    const live = page.runs.some((run) => run.ended_at === null);
    const shown = JSON.stringify([page, this.query, live && Date.now()]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#show(page.runs);
    this.#page(page.next_cursor);
  }

  /** @param {RunLine[]} runs */
  #show(runs) {
    if (!runs.length) return this.table.replaceChildren(this.#nothing());
    showTable(this.table, HEADS, runs.map(row));
  }

  #nothing() {
    const all = Object.keys(this.query).length === 0;
    const [told, to, label] = all
      ? ["No run yet.", "#/start", "Start the first one"]
      : ["No run fits here.", "#/runs", "Show all runs"];
    return element("p", { class: "nothing" }, `${told} `, element("a", { href: to }, label));
  }

  /** @param {string | null} next */
  #page(next) {
    const go = (/** @type {string} */ label, /** @type {() => string} */ step, /** @type {boolean} */ there) => {
      const onclick = () => (location.hash = addressOf(["runs"], { ...this.query, after: step() }));
      return element("button", { type: "button", disabled: !there, onclick }, label);
    };
    const { after = "" } = this.query;
    if (next) this.#before.set(next, after);
    const newer = () => this.#before.get(after) ?? "";
    const older = () => next ?? "";
    this.pager.replaceChildren(go("Newer", newer, after !== ""), go("Older", older, next !== null));
    this.pager.hidden = next === null && after === "";
  }
}

/**
 * @param {RunLine} run
 * @returns {import("./renew.js").Row}
 */
function row(run) {
  const took = run.ended_at === null ? Date.now() / 1000 - run.started_at : run.ended_at - run.started_at;
  const name = element("span", {}, run.workflow, run.rehearsal && element("small", { class: "rehearsal" }, " rehearsal"));
  const link = element("a", { href: addressOf(["runs", run.run_id]) }, run.run_id);
  return {
    key: run.run_id,
    cells: [link, name, badge(run.status), momentOf(run.started_at), duration(Math.max(0, took)), usd(run.cost_usd)],
  };
}
