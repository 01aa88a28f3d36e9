/** What the router decided, the planner did and people said, in the order it happened. */

import { element } from "./element.js";
import { moment } from "./words.js";

/** @typedef {{ at: number, who: string, what: string, why: string }} Line */

/**
 * @param {HTMLElement} root
 * @param {import("./shapes.js").RunRecord} record
 * @param {import("./story.js").Story} story
 */
export function showDecisions(root, record, story) {
  /** @type {Line[]} */
  const lines = [
    ...record.decisions.map((made) => ({
      at: made.at,
      who: `router: ${made.node_id}, attempt ${made.attempt}`,
      what: made.rung ? `${made.action} to ${made.rung}` : made.action,
      why: made.reason,
    })),
    ...story.planning.map(planned),
    ...story.approvals.map((given) => ({
      at: given.at,
      who: given.given_by === "policy" ? "policy, nobody answered in time" : "a person",
      what: `${given.approved ? "approved" : "rejected"} ${given.node_id ?? "the plan"}`,
      why: given.note,
    })),
  ];
  lines.sort((a, b) => a.at - b.at);
  const items = lines.map(({ at, who, what, why }) =>
    element("li", {}, element("time", {}, moment(at)), " ", element("strong", {}, what), ` (${who}) `, why),
  );
  root.replaceChildren(
    items.length ? element("ol", { class: "decisions" }, ...items) : element("p", { class: "hint" }, "Nothing had to be decided."),
  );
}

/**
 * @param {import("./shapes.js").RunEvent} event
 * @returns {Line}
 */
function planned(event) {
  const { at, type } = event;
  switch (type) {
    case "PlanRequested":
      return { at, who: `planner on ${event.rung}`, what: `asked to ${event.purpose}`, why: (event.failed ?? []).join(", ") };
    case "PlanReady":
      return { at, who: event.purpose, what: `plan version ${event.plan.version} in force`, why: "" };
    case "PlanRejected":
      return { at, who: "compiler", what: "plan rejected", why: event.findings.map((/** @type {any} */ f) => f.message).join("; ") };
    case "ReplanFailed":
      return { at, who: "planner", what: "replan failed", why: event.reason };
    default:
      return { at, who: "budget", what: `cap on ${event.limit} reached`, why: `${event.needed} needed of ${event.cap}` };
  }
}
