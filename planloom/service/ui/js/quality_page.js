/** What more compute would have bought: recorded answers of stored runs, replayed under other rules. */

import { addressOf } from "./address.js";
import { Chart } from "./chart.js";
import { element } from "./element.js";
import { Turns } from "./turns.js";
import { percent, several, usd } from "./words.js";

/** @typedef {import("./shapes.js").Quality} Quality */

export class QualityPage {
  title = "Quality";
  #turns = new Turns();

  /**
   * @param {import("./api.js").Api} api
   * @param {HTMLElement} root
   * @param {import("./address.js").Address} address
   */
  constructor(api, root, { query }) {
    this.api = api;
    this.root = root;
    this.query = query;
    this.choice = element("select");
    this.body = element("div", { class: "quality", "aria-live": "polite" });
  }

  async open() {
    const { workflows } = await this.api.get("/workflows");
    const names = ["", ...workflows.map((/** @type {{ name: string }} */ line) => line.name)];
    this.choice.append(...names.map((name) => element("option", { value: name }, name || "any")));
    this.choice.value = this.query.workflow ?? "";
    this.choice.addEventListener("change", () => (location.hash = addressOf(["quality"], { workflow: this.choice.value })));
    this.root.replaceChildren(
      element("h1", {}, "Quality against compute"),
      element("div", { class: "filters" }, element("label", {}, "Workflow ", this.choice)),
      this.body,
    );
    await this.#load();
  }

  close() {}

  /**
   * @param {import("./address.js").Address} address
   * @returns {boolean} whether it is of this page
   */
  goTo({ parts: [kind], query }) {
    if (kind !== "quality") return false;
    this.query = query;
    this.choice.value = query.workflow ?? "";
    this.#turns.drop();
    this.#load().catch((error) => this.body.replaceChildren(element("p", { class: "problem", role: "alert" }, error.message)));
    return true;
  }

  async #load() {
    this.body.replaceChildren(element("p", { class: "hint" }, "Replaying…"));
    const found = this.api.get("/quality", { workflow: this.query.workflow ?? "" });
    await this.#turns.show(found, (quality) => this.#show(quality));
  }

  /** @param {Quality} found */
  #show(found) {
    if (!found.answers) {
      const told = "No answer with a known outcome: a node needs a check other than those on text, and must have run.";
      return this.body.replaceChildren(element("p", { class: "card" }, `${several(found.runs, "run")} looked at. ${told}`));
    }
    this.body.replaceChildren(
      element(
        "p",
        {},
        `${several(found.answers, "answer")} to ${several(found.questions, "question")} from the newest ${several(found.runs, "run")}, ` +
          "replayed without a model. What a check said of an answer is taken as the truth.",
      ),
      picture(found),
      element(
        "p",
        { class: "hint" },
        "A mark is a rule: how much of the work it sends to the stronger model, and how many answers are right then. The bar over " +
          "it is what nobody knows. A line is what a calibrated policy reaches as " +
          "more goes up, on rows that it was not fitted to; dotted is random choice.",
      ),
    );
  }
}

/** @param {Quality} found */
function picture(found) {
  const most = Math.max(1, ...found.rules.map(({ strong_calls }) => strong_calls / found.questions));
  const chart = new Chart("Strong calls for the questions asked", "Share of answers that are right", most);
  const curves = found.curves.map(({ name, weak, strong, points }) => {
    chart.random(weak, strong);
    return `${chart.line(name, points.map(({ share, accuracy }) => [share, accuracy]))} ${name}`;
  });
  const rows = found.rules.map((rule) => {
    const [x, y] = [rule.strong_calls / found.questions, rule.right / found.questions];
    return row(rule, chart.mark(rule.name, x, y, rule.unknown / found.questions), found.questions);
  });
  const legend = curves.length > 0 && element("ul", { class: "curves", "aria-label": "Curves" }, ...curves.map((line) => element("li", {}, line)));
  return element("div", { class: "card" }, chart.root, element("div", {}, table(rows), legend, unknowns(found)));
}

/** @param {Quality} found */
function unknowns(found) {
  const lines = found.rules.flatMap(({ name, unknowns: lacks }) =>
    lacks.map(({ kind, model, lack, questions }) => element("li", {}, `${name}: ${kind} on ${model}, ${lack} (${several(questions, "question")})`)),
  );
  return lines.length > 0 && element("details", {}, element("summary", {}, "What is unknown, and why"), element("ul", {}, ...lines));
}

const HEADS = ["Rule", "Right", "Unknown", "Strong calls", "Cost", "Calls by model"];

/**
 * @param {import("./shapes.js").Rule} rule
 * @param {string} shape
 * @param {number} questions
 */
function row(rule, shape, questions) {
  const cells = [
    `${shape} ${rule.name}`,
    percent(rule.right, questions),
    percent(rule.unknown, questions),
    `${rule.strong_calls} (${percent(rule.strong_calls, questions)})`,
    rule.cost_usd === null ? "unknown" : `${usd(rule.cost_usd)}${rule.cost_unknown ? ` + ${several(rule.cost_unknown, "call")} unknown` : ""}`,
    Object.entries(rule.calls).map(([model, calls]) => `${model} ${calls}`).join(", "),
  ];
  return element("tr", {}, ...cells.map((cell, at) => element("td", { "data-label": HEADS[at] }, cell)));
}

/** @param {HTMLElement[]} rows */
function table(rows) {
  const head = element("tr", {}, ...HEADS.map((name) => element("th", { scope: "col" }, name)));
  return element("div", { class: "table" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}
