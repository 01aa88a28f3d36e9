/** A form made from the JSON Schema of a workflow's inputs. */

import { element } from "./element.js";
import { Group } from "./form_parts.js";

/** @typedef {import("./shapes.js").Fault} Fault */
/** @typedef {import("./shapes.js").Schema} Schema */

export class Form {
  /** @param {{ properties: Record<string, Schema>, required: string[] }} inputs */
  constructor(inputs) {
    this.parts = new Group(["inputs"], { type: "object", ...inputs }, {});
    this.root = element("div", { class: "fields" }, ...this.parts.rows);
  }

  /**
   * @returns {Record<string, unknown>} what was filled in; empty fields that need not be there are left out
   * @throws {import("./form_parts.js").Misfit}
   */
  values() {
    return this.parts.values();
  }

  /**
   * Show faults beside their fields, and go to the first.
   *
   * @param {Fault[]} faults
   * @returns {string[]} those that belong to no field
   */
  tell(faults) {
    this.parts.clear();
    const rest = faults.filter(({ pointer, detail }) => {
      const [, top, ...steps] = pointer.split("/");
      return top !== "inputs" || !this.parts.tell(steps, detail);
    });
    const first = this.root.querySelector("[aria-invalid=true]");
    if (first instanceof HTMLElement) first.focus();
    return rest.map(({ pointer, detail }) => `${pointer} ${detail}`.trim());
  }
}
