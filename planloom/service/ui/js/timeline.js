/** The run over time: a row for each node, a bar for each attempt. */

import { Axis } from "./axis.js";
import { element } from "./element.js";
import { renew } from "./renew.js";
import { duration, usd } from "./words.js";

/** @typedef {import("./shapes.js").RunRecord} RunRecord */
/** @typedef {{ from: number, to: number, kind: string, told: string }} Bar */
/** @typedef {{ name: string, bars: Bar[] }} Lane */

/** Events that end no work of the planner. */
const ASIDE = ["BudgetReached", "BudgetRaised", "PlanDrafted", "PlansCompared"];

/**
 * @param {HTMLElement} root
 * @param {RunRecord} record
 * @param {import("./story.js").Story} story
 * @param {(nodeId: string) => void} onChoose
 */
export function showTimeline(root, record, story, onChoose) {
  const now = record.ended_at ?? Date.now() / 1000;
  const lanes = [...planner(story, now), ...nodes(record, now)];
  const axis = new Axis(record.started_at, lanes.flatMap((lane) => lane.bars.map(({ from, to }) => [from, to])));
  const rows = lanes.map(({ name, bars }) => ({
    key: name,
    told: JSON.stringify(bars.map((bar) => [bar.told, axis.percent(bar.from), axis.percent(bar.to)])),
    make: () => drawnLane({ name, bars }, axis, onChoose),
  }));
  const cuts = axis.cuts ? ` Pauses are cut down (${axis.cuts}).` : "";
  const legend = "Done is solid, failed hatched, under way pale.";
  const head = `${duration(axis.length)} of work from left to right. ${legend}${cuts}`;
  if (!root.children.length) root.append(element("p", { class: "hint" }), element("div", { class: "timeline" }));
  const [hint, body] = root.children;
  hint.textContent = head;
  renew(body, [{ key: "the scale", told: String(axis.length), make: () => scale(axis) }, ...rows]);
}

/**
 * @param {Lane} lane
 * @param {Axis} axis
 * @param {(nodeId: string) => void} onChoose
 */
function drawnLane({ name, bars }, axis, onChoose) {
  const label = name
    ? element("button", { type: "button", class: "link", onclick: () => onChoose(name) }, name)
    : element("span", {}, "planner");
  return element("div", { class: "lane" }, label, element("div", { class: "track" }, ...bars.map((bar) => drawnBar(bar, axis))));
}

/** @param {Axis} axis */
function scale(axis) {
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const tick = element("span", {}, duration(axis.length * part));
    tick.style.left = `${100 * part}%`;
    return tick;
  });
  return element("div", { class: "lane scale", "aria-hidden": "true" }, element("span", {}), element("div", { class: "track" }, ...ticks));
}

/**
 * @param {Bar} bar
 * @param {Axis} axis
 */
function drawnBar({ from, to, kind, told }, axis) {
  const made = element("div", { class: `span ${kind}`, title: told, role: "img", "aria-label": told });
  made.style.left = `${axis.percent(from)}%`;
  made.style.width = `max(3px, ${axis.percent(to) - axis.percent(from)}%)`;
  return made;
}

/**
 * @param {RunRecord} record
 * @param {number} now
 * @returns {Lane[]}
 */
function nodes(record, now) {
  const begun = Object.values(record.nodes).filter((node) => node.attempts.length > 0);
  begun.sort((a, b) => (a.started_at ?? 0) - (b.started_at ?? 0));
  return begun.map((node) => ({
    name: node.id,
    bars: node.attempts.map((attempt) => {
      const to = attempt.ended_at ?? now;
      const kind = attempt.ended_at === null ? "running" : attempt.ok ? "done" : "failed";
      const facts = [
        `${node.id}, attempt ${attempt.attempt}`,
        attempt.rung,
        kind,
        duration(to - attempt.started_at),
        attempt.cost_usd ? usd(attempt.cost_usd) : "",
      ];
      return { from: attempt.started_at, to, kind, told: facts.filter(Boolean).join(", ") };
    }),
  }));
}

/**
 * @param {import("./story.js").Story} story
 * @param {number} now
 * @returns {Lane[]}
 */
function planner(story, now) {
  /** @type {Bar[]} */
  const bars = [];
  /** @type {import("./shapes.js").RunEvent | null} */
  let asked = null;
  for (const event of story.planning) {
    if (event.type === "RunResumed") asked = null; // what was asked of a process that is gone is asked again
    if (event.type === "PlanRequested") asked = asked && event.asked ? asked : event;
    else if (asked && !ASIDE.includes(event.type)) {
      const kind = event.type === "PlanReady" ? "done" : "failed";
      bars.push({ from: asked.at, to: event.at, kind, told: `planner, ${asked.purpose}, ${duration(event.at - asked.at)}` });
      asked = null;
    }
  }
  if (asked) bars.push({ from: asked.at, to: now, kind: "running", told: `planner, ${asked.purpose}, under way` });
  return bars.length ? [{ name: "", bars }] : [];
}
