/** How many nodes stand how: a legend of the graph that counts. */

import { element } from "./element.js";
import { SIGNS } from "./face.js";

/**
 * @param {HTMLElement} root
 * @param {Iterable<import("./face.js").Face>} faces
 * @param {boolean} path whether a critical path is drawn
 */
export function showTally(root, faces, path) {
  /** @type {Map<string, number>} */
  const found = new Map();
  /** @type {Map<string, string>} */
  const words = new Map();
  for (const { state, word } of faces) {
    found.set(state, (found.get(state) ?? 0) + 1);
    words.set(state, word);
  }
  const states = Object.keys(SIGNS).filter((state) => found.has(state));
  const parts = states.map((state) => element("span", { class: state }, `${SIGNS[state]} ${found.get(state)} ${words.get(state)}`));
  root.replaceChildren(...parts, ...(path ? [element("span", { class: "on-path" }, "━ critical path")] : []));
}
