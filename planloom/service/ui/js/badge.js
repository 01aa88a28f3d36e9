/** How something stands: a word in its colour. */

import { element } from "./element.js";

/** @param {string} status */
export function badge(status) {
  return element("span", { class: `badge ${status}`, "data-status": status }, status);
}
