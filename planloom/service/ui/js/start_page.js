/** Start a run: choose a workflow, fill in its inputs. */

import { Problem } from "./api.js";
import { element } from "./element.js";
import { explained } from "./explained.js";
import { Form } from "./form.js";
import { Misfit } from "./form_parts.js";

/** @typedef {import("./shapes.js").WorkflowRecord} WorkflowRecord */

export class StartPage {
  title = "Start a run";
  #closed = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {HTMLElement} root
   * @param {string} name of the workflow; empty for the list
   */
  constructor(api, root, name) {
    this.api = api;
    this.root = root;
    this.name = name;
    /** One key for all tries of this form, so that sending it twice starts one run. */
    this.key = newKey();
  }

  async open() {
    if (!this.name) await this.#showList();
    else this.#showForm(await this.api.get(`/workflows/${encodeURIComponent(this.name)}`));
  }

  close() {
    this.#closed = true;
  }

  async #showList() {
    const { workflows } = await this.api.get("/workflows");
    const items = workflows.map((/** @type {WorkflowRecord} */ line) =>
      element(
        "li",
        { class: "card" },
        element("a", { href: `#/start/${encodeURIComponent(line.name)}` }, line.name),
        element("p", {}, line.description),
        line.plan === "auto" && element("p", { class: "hint" }, "A planner writes its plan for each run."),
      ),
    );
    const list = items.length ? element("ul", { class: "choices" }, ...items) : element("p", { class: "hint" }, "There is no workflow here.");
    this.root.replaceChildren(element("h1", {}, "Start a run"), list);
  }

  /** @param {WorkflowRecord} workflow */
  #showForm(workflow) {
    const form = new Form(workflow.inputs);
    const problem = element("p", { class: "problem", role: "alert" });
    const start = element("button", { type: "submit", class: "main" }, "Start");
    const estimate = element("div", { role: "status" });
    const explain = element("button", { type: "button", onclick: () => this.#explain(estimate) }, "What would it do?");
    const send = (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.#start(form, problem, start);
    };
    this.root.replaceChildren(
      element("h1", {}, workflow.name),
      element("p", { class: "goal" }, workflow.description),
      element("form", { class: "card", onsubmit: send }, form.root, problem, element("div", { class: "deeds" }, start, explain)),
      estimate,
    );
  }

  /**
   * @param {Form} form
   * @param {HTMLElement} problem
   * @param {HTMLButtonElement} start
   */
  async #start(form, problem, start) {
    problem.textContent = "";
    form.tell([]);
    start.disabled = true;
    try {
      const body = { workflow: this.name, inputs: form.values() };
      const { run_id } = await this.api.post("/runs", body, { "Idempotency-Key": this.key });
      if (!this.#closed) location.hash = `#/runs/${encodeURIComponent(run_id)}`;
    } catch (error) {
      if (error instanceof Misfit) form.tell([{ pointer: error.pointer, detail: error.message }]);
      else {
        const rest = error instanceof Problem ? form.tell(error.errors) : [];
        problem.textContent = [error instanceof Error ? error.message : String(error), ...rest].join(" ");
        if (error instanceof Problem && error.status !== 0) this.key = newKey();
      }
    } finally {
      start.disabled = false;
    }
  }

  /** @param {HTMLElement} root */
  async #explain(root) {
    try {
      root.replaceChildren(explained(await this.api.post(`/workflows/${encodeURIComponent(this.name)}/explain`)));
    } catch (error) {
      root.replaceChildren(element("p", { class: "problem" }, error instanceof Error ? error.message : String(error)));
    }
    root.scrollIntoView({ block: "nearest" });
  }
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
