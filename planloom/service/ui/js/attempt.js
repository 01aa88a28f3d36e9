/** One attempt of a node: who was asked, what the checks saw, the samples of a vote, tool calls. */

import { badge } from "./badge.js";
import { element } from "./element.js";
import { shown } from "./value.js";
import { count, duration, several, shortened, usd } from "./words.js";

/** @typedef {import("./shapes.js").Attempt} Attempt */
/** @typedef {import("./shapes.js").RunEvent} RunEvent */
/** @typedef {{ calls: RunEvent[], samples: RunEvent[], batch: import("./story.js").Batch | undefined }} Happened tools that were
 *   called, samples of a vote, the batch that it waits in */

/**
 * @param {Attempt} attempt
 * @returns {HTMLElement} its line, to be opened
 */
export function attemptLine(attempt) {
  const verdict = attempt.ended_at === null ? "running" : attempt.ok ? "done" : "failed";
  const took = attempt.ended_at === null ? "" : duration(attempt.ended_at - attempt.started_at);
  const facts = [attempt.rung, took, attempt.cost_usd ? usd(attempt.cost_usd) : "", attempt.failure].filter(Boolean);
  return element("span", {}, `Attempt ${attempt.attempt} `, badge(verdict), " ", element("small", {}, facts.join(" · ")));
}

/**
 * @param {Attempt} attempt
 * @param {Happened} happened
 */
export function attemptBody(attempt, { calls, samples, batch }) {
  const { calls: asked, input_tokens: read, output_tokens: written, cached_tokens: cached, reasoning_tokens: thought } = attempt.usage;
  const usage = [
    attempt.model && attempt.model !== attempt.rung ? attempt.model : "",
    asked ? several(asked, "call") : "",
    asked ? `${count(read)} + ${count(written)} tokens` : "",
    cached ? `${count(cached)} cached` : "",
    thought ? `${count(thought)} of reasoning` : "",
  ].filter(Boolean);
  const same = attempt.evidence.some((item) => !item.passed && attempt.message.includes(item.found || item.check));
  return element(
    "div",
    { class: "attempt" },
    usage.length > 0 && element("p", { class: "hint" }, usage.join(" · ")),
    batch && element("p", { class: "batch" }, `In batch ${batch.name} on ${batch.rung}: ${batch.status}, ${batch.done} of ${batch.total}`),
    attempt.message && !same && element("p", { class: "problem" }, attempt.message),
    attempt.evidence.length > 0 && element("ul", { class: "evidence", "aria-label": "Checks" }, ...attempt.evidence.map(evidence)),
    samples.length > 0 && vote(samples),
    calls.length > 0 && element("ul", { class: "tool-calls", "aria-label": "Tool calls" }, ...calls.map(toolCall)),
    attempt.trace && shown(attempt.trace, "Traceback"),
  );
}

/** @param {import("./shapes.js").Evidence} item */
function evidence(item) {
  const told = /** @type {[string, string][]} */ ([
    ["expected", item.expected],
    ["found", item.found],
    ["at", item.where],
  ]).filter(([, text]) => text);
  const sign = item.passed ? "✓ passed" : "✗ failed";
  return element(
    "li",
    { class: item.passed ? "passed" : "not-passed" },
    element("span", { class: "verdict" }, sign),
    " ",
    element("code", {}, item.check),
    told.length > 0 &&
      element("dl", {}, ...told.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, element("code", {}, text))])),
  );
}

/** @param {RunEvent[]} samples */
function vote(samples) {
  const rows = samples.map(({ sample, asked, output, failed }) => {
    const said = failed ? `no vote: ${failed.message}` : typeof output === "string" ? output : JSON.stringify(output);
    const cells = [String(sample + 1), asked, shortened(said, 300)];
    return element("tr", {}, ...cells.map((cell, at) => element("td", { "data-label": HEADS[at], class: failed && "not-passed" }, cell)));
  });
  const head = element("tr", {}, ...HEADS.map((name) => element("th", { scope: "col" }, name)));
  return element(
    "div",
    { class: "table vote" },
    element("table", {}, element("caption", {}, "Vote"), element("thead", {}, head), element("tbody", {}, ...rows)),
  );
}

const HEADS = ["Sample", "Asked", "Answer"];

/** @param {RunEvent} call */
function toolCall(call) {
  return element(
    "li",
    {},
    element(
      "details",
      { open: Boolean(call.error) },
      element(
        "summary",
        {},
        element("code", {}, call.tool),
        element("small", {}, ` ${duration(call.seconds)}`),
        call.error && element("span", { class: "problem" }, ` ${call.error}`),
      ),
      shown(call.args, `Arguments of ${call.tool}`),
    ),
  );
}
