/** The list of runs: newest first, by state and workflow, page by page. */

import { badge } from "./badge.js";
import { element } from "./element.js";
import { duration, moment, usd } from "./words.js";

/** @typedef {import("./shapes.js").RunLine} RunLine */

const STATUSES = ["running", "waiting", "done", "partial", "failed", "cancelled", "interrupted"];
const EVERY_MS = 4000;
const PAGE = "25";

export class RunsPage {
  title = "Runs";
  #timer = 0;
  /** @type {string[]} cursors of the pages before this one */
  #before = [];
  #cursor = "";
  #shown = "";

  /**
   * @param {import("./api.js").Api} api
   * @param {HTMLElement} root
   */
  constructor(api, root) {
    this.api = api;
    this.root = root;
    this.status = element("select", { id: "status", onchange: () => this.#filtered() });
    this.workflow = element("select", { id: "workflow", onchange: () => this.#filtered() });
    this.table = element("div", { class: "table" });
    this.pager = element("div", { class: "pager" });
  }

  async open() {
    const { workflows } = await this.api.get("/workflows");
    this.status.append(...["", ...STATUSES].map((name) => element("option", { value: name }, name || "any")));
    const names = ["", ...workflows.map((/** @type {{ name: string }} */ line) => line.name)];
    this.workflow.append(...names.map((name) => element("option", { value: name }, name || "any")));
    this.root.replaceChildren(
      element("h1", {}, "Runs"),
      element(
        "div",
        { class: "filters", role: "search" },
        element("label", {}, "State ", this.status),
        element("label", {}, "Workflow ", this.workflow),
        element("a", { class: "button main", href: "#/start" }, "Start a run"),
      ),
      this.table,
      this.pager,
    );
    await this.#load();
    this.#timer = window.setInterval(() => document.hidden || this.#load().catch(() => undefined), EVERY_MS);
  }

  close() {
    clearInterval(this.#timer);
  }

  #filtered() {
    this.#before = [];
    this.#cursor = "";
    void this.#load();
  }

  async #load() {
    const asked = { status: this.status.value, workflow: this.workflow.value, cursor: this.#cursor };
    const page = await this.api.get("/runs", { ...asked, limit: PAGE });
    const shown = JSON.stringify([page, this.#cursor]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#show(page.runs);
    this.#page(page.next_cursor);
  }

  /** @param {RunLine[]} runs */
  #show(runs) {
    const heads = ["Run", "Workflow", "State", "Started", "Took", "Cost"];
    const head = element("tr", {}, ...heads.map((name) => element("th", { scope: "col" }, name)));
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...runs.map(row)));
    this.table.replaceChildren(runs.length ? table : element("p", { class: "hint" }, "No run here."));
  }

  /** @param {string | null} next */
  #page(next) {
    const go = (/** @type {string} */ label, /** @type {() => void} */ step, /** @type {boolean} */ there) =>
      element("button", { type: "button", disabled: !there, onclick: () => (step(), void this.#load()) }, label);
    const newer = () => void (this.#cursor = this.#before.pop() ?? "");
    const older = () => {
      this.#before.push(this.#cursor);
      this.#cursor = next ?? "";
    };
    this.pager.replaceChildren(go("Newer", newer, this.#before.length > 0), go("Older", older, next !== null));
    this.pager.hidden = next === null && this.#before.length === 0;
  }
}

/** @param {RunLine} run */
function row(run) {
  const took = run.ended_at === null ? Date.now() / 1000 - run.started_at : run.ended_at - run.started_at;
  const cell = (/** @type {string} */ label, /** @type {import("./element.js").Child[]} */ ...inside) =>
    element("td", { "data-label": label }, ...inside);
  return element(
    "tr",
    {},
    cell("Run", element("a", { href: `#/runs/${encodeURIComponent(run.run_id)}` }, run.run_id)),
    cell("Workflow", run.workflow, run.rehearsal && element("small", { class: "rehearsal" }, " rehearsal")),
    cell("State", badge(run.status)),
    cell("Started", moment(run.started_at)),
    cell("Took", duration(took)),
    cell("Cost", usd(run.cost_usd)),
  );
}
