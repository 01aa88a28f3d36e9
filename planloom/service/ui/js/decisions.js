/** What the router decided, the planner did and people said, in the order it happened. */

import { element } from "./element.js";
import { renew } from "./renew.js";
import { clock, duration, usd } from "./words.js";

/** @typedef {{ at: number, who: string, node?: string, what: string, why: string }} Line */

/**
 * @param {HTMLElement} root
 * @param {import("./shapes.js").RunRecord} record
 * @param {import("./story.js").Story} story
 * @param {(nodeId: string) => void} onChoose
 */
export function showDecisions(root, record, story, onChoose) {
  /** @type {Line[]} */
  const lines = [
    ...record.decisions.map((made) => ({
      at: made.at,
      who: "router",
      node: made.node_id,
      what: `${made.rung ? `${made.action} to ${made.rung}` : made.action} after attempt ${made.attempt}`,
      why: made.reason,
    })),
    ...story.planning.map(planned),
    ...story.approvals.map((given) => ({
      at: given.at,
      who: given.given_by === "policy" ? "policy, nobody answered" : "person",
      node: given.node_id ?? undefined,
      what: `${given.approved ? "approved" : "rejected"}${given.node_id ? "" : " the plan"}`,
      why: given.note,
    })),
  ];
  const seen = JSON.stringify(lines);
  if (root.dataset.seen === seen) return;
  root.dataset.seen = seen;
  lines.sort((a, b) => a.at - b.at);
  if (!lines.length) return root.replaceChildren(element("p", { class: "hint" }, "Nothing had to be decided."));
  let list = root.querySelector("ol");
  if (!list) root.replaceChildren((list = element("ol", { class: "decisions" })));
  const items = lines.map((line, at) => ({
    key: String(at),
    told: JSON.stringify(line),
    make: () => drawnLine(line, record.started_at, onChoose),
  }));
  renew(list, items);
}

/**
 * @param {Line} line
 * @param {number} start
 * @param {(nodeId: string) => void} onChoose
 */
function drawnLine({ at, who, node, what, why }, start, onChoose) {
  const open = node && element("button", { type: "button", class: "link", onclick: () => onChoose(node) }, node);
  return element(
    "li",
    {},
    element("time", { title: clock(at) }, `+${duration(Math.max(0, at - start))}`),
    element("span", { class: "who" }, who),
    element("div", {}, element("strong", {}, what), open ? " " : "", open, why && element("p", { class: "hint" }, why)),
  );
}

/**
 * @param {import("./shapes.js").RunEvent} event
 * @returns {Line}
 */
function planned(event) {
  const { at, type } = event;
  switch (type) {
    case "PlanRequested": {
      const failed = event.failed ?? [];
      return { at, who: `planner, ${event.rung}`, what: `asked to ${event.purpose}`, why: failed.length ? `behind ${failed.join(", ")}` : "" };
    }
    case "PlanReady":
      return { at, who: "compiler", what: `plan version ${event.plan.version} in force`, why: `by ${event.purpose}` };
    case "PlanRejected":
      return { at, who: "compiler", what: "plan rejected", why: event.findings.map((/** @type {any} */ f) => f.message).join("; ") };
    case "PlanDrafted":
      return { at, who: `planner on ${event.rung}`, what: `plan ${event.sample}, ${event.asked}`, why: event.error || event.graph };
    case "PlansCompared":
      return { at, who: "planners", what: `plan ${event.taken} taken: ${event.because}`, why: [event.found, event.dissent].filter(Boolean).join("; ") };
    case "ReplanFailed":
      return { at, who: "planner", what: "replan failed", why: event.reason };
    case "RunResumed":
      return { at, who: "run", what: "taken up again", why: event.interrupted?.length ? `cut off: ${event.interrupted.join(", ")}` : "" };
    case "BudgetRaised":
      return { at, who: event.by || "person", what: "caps raised", why: Object.entries(event.caps).map(String).join("; ") };
    default: {
      const said = (/** @type {number} */ value) => (event.limit === "usd" ? usd(value) : String(value));
      return { at, who: "budget", what: `cap on ${event.limit} reached`, why: `${said(event.needed)} needed of ${said(event.cap)}` };
    }
  }
}
