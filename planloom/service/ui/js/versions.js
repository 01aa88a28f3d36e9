/** The versions of the plan, each with what it changed. */

import { element } from "./element.js";
import { essential } from "./value.js";
import { momentOf } from "./moment.js";
import { several } from "./words.js";

/** @typedef {import("./story.js").PlanVersion} PlanVersion */
/** @typedef {{ kind: "added" | "removed" | "changed", id: string, lines: { sign: string, text: string }[] }} Change */

/**
 * @param {HTMLElement} root
 * @param {import("./story.js").Story} story
 */
export function showVersions(root, story) {
  if (root.dataset.seen === String(story.versions.length)) return;
  root.dataset.seen = String(story.versions.length);
  const parts = story.versions.map((version, at) => {
    const changes = at ? changesOf(story.versions[at - 1], version) : [];
    const nodes = Object.keys(version.nodes);
    return element(
      "article",
      { class: "card version" },
      element("h3", {}, `Version ${version.version}: ${version.purpose}`),
      element("p", { class: "hint" }, momentOf(version.at), `, ${several(nodes.length, "node")}${at ? `: ${tally(changes)}` : ""}`),
      ...(at === 0 ? [element("p", {}, nodes.join(", "))] : changes.map(drawnChange)),
      at > 0 && changes.length === 0 && element("p", {}, "The nodes are the same."),
    );
  });
  root.replaceChildren(...(parts.length ? parts : [element("p", { class: "hint" }, "No plan yet.")]));
}

/** @param {Change[]} changes */
function tally(changes) {
  const kinds = /** @type {const} */ (["added", "changed", "removed"]);
  const counts = kinds.map((kind) => [changes.filter((change) => change.kind === kind).length, kind]);
  return counts.filter(([count]) => count).map((pair) => pair.join(" ")).join(", ") || "nothing changed";
}

/** @param {Change} change */
function drawnChange({ kind, id, lines }) {
  const drawn = lines.map(({ sign, text }) =>
    element("div", { class: sign === "+" ? "plus" : sign === "-" ? "minus" : "" }, `${sign} ${text}`),
  );
  return element(
    "details",
    { class: "change", open: kind === "changed" },
    element("summary", {}, element("span", { class: `kind ${kind}` }, kind), " ", element("code", {}, id)),
    element("div", { class: "diff", tabindex: 0, role: "region", "aria-label": `Change of ${id}` }, ...drawn),
  );
}

/**
 * @param {PlanVersion} before
 * @param {PlanVersion} after
 * @returns {Change[]}
 */
export function changesOf(before, after) {
  const ids = [...new Set([...Object.keys(before.nodes), ...Object.keys(after.nodes)])];
  return ids.flatMap((id) => {
    const [was, is] = [before.nodes[id], after.nodes[id]];
    const lines = fieldsOf(was ?? {}, is ?? {});
    if (lines.length === 0) return [];
    return [{ kind: was ? (is ? "changed" : "removed") : "added", id, lines }];
  });
}

/**
 * @param {Record<string, unknown>} was
 * @param {Record<string, unknown>} is
 * @returns {{ sign: string, text: string }[]}
 */
function fieldsOf(was, is) {
  const { id: _, ...before } = essential(was);
  const { id: __, ...after } = essential(is);
  return compared("", before, after);
}

/**
 * @param {string} path
 * @param {unknown} was
 * @param {unknown} is undefined where there is nothing
 * @returns {{ sign: string, text: string }[]} objects and lists are compared by place, so that only what differs is shown
 */
function compared(path, was, is) {
  if (isObject(was) && isObject(is)) {
    const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
    return names.flatMap((name) => compared(path ? `${path}.${name}` : name, was[name], is[name]));
  }
  const [before, after] = trimmed(lines(was), lines(is));
  const signed = (/** @type {string} */ sign, /** @type {string[]} */ texts) =>
    texts.map((text, at) => ({ sign, text: at ? `  ${text}` : `${path}: ${text}` }));
  return [...signed("-", before), ...signed("+", after)];
}

/**
 * @param {unknown} value
 * @returns {string[]} none for what is not there
 */
function lines(value) {
  return (typeof value === "string" ? value : (JSON.stringify(value, null, 1) ?? "")).split("\n").filter((line) => line !== "");
}

/**
 * @param {string[]} before
 * @param {string[]} after
 * @returns {[string[], string[]]} both without the lines that they begin and end with alike
 */
function trimmed(before, after) {
  const most = Math.min(before.length, after.length);
  let start = 0;
  while (start < most && before[start] === after[start]) start++;
  let end = 0;
  while (end < most - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  return [before.slice(start, before.length - end), after.slice(start, after.length - end)];
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === "object" && value !== null;
}
