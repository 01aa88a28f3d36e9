/** The versions of the plan, each with what it changed. */

import { essential } from "./approvals.js";
import { element } from "./element.js";
import { moment } from "./words.js";

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
      element("p", { class: "hint" }, `${moment(version.at)}, ${nodes.length} nodes`),
      ...(at === 0 ? [element("p", {}, nodes.join(", "))] : changes.map(drawnChange)),
      at > 0 && changes.length === 0 && element("p", {}, "The nodes are the same."),
    );
  });
  root.replaceChildren(...(parts.length ? parts : [element("p", { class: "hint" }, "No plan yet.")]));
}

/** @param {Change} change */
function drawnChange({ kind, id, lines }) {
  const drawn = lines.map(({ sign, text }) =>
    element("div", { class: sign === "+" ? "plus" : sign === "-" ? "minus" : "" }, `${sign} ${text}`),
  );
  return element(
    "details",
    { class: "change", open: kind === "changed" },
    element("summary", {}, `${kind} `, element("code", {}, id)),
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
 */
function fieldsOf(was, is) {
  const [before, after] = [essential(was), essential(is)];
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((name) => name !== "id");
  return names.flatMap((name) => {
    const [left, right] = [written(before[name]), written(after[name])];
    if (left === right) return [];
    return [
      ...(left === undefined ? [] : [{ sign: "-", text: `${name}: ${left}` }]),
      ...(right === undefined ? [] : [{ sign: "+", text: `${name}: ${right}` }]),
    ];
  });
}

/** @param {unknown} value */
function written(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}
