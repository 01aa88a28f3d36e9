/** How something stands: a word in its colour. */

import { element } from "./element.js";

/**
 * @param {string} status
 * @param {string} [word] for it
 */
export function badge(status, word = status) {
  return element("span", { class: `badge ${status}`, "data-status": status }, word);
}
