/** A form made from the JSON Schema of a workflow's inputs. */

import { element } from "./element.js";

/** @typedef {import("./shapes.js").Schema} Schema */
/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Field */

/** A value that is not what the schema asks for, before the service was asked. */
export class Misfit extends Error {
  /**
   * @param {string} name
   * @param {string} detail
   */
  constructor(name, detail) {
    super(detail);
    this.name = name;
  }
}

export class Form {
  /** @type {Map<string, { schema: Schema, field: Field, problem: HTMLElement }>} */
  #fields = new Map();

  /**
   * @param {{ properties: Record<string, Schema>, required: string[] }} inputs
   */
  constructor(inputs) {
    const rows = Object.entries(inputs.properties).map(([name, schema]) =>
      this.#row(name, schema, inputs.required.includes(name)),
    );
    this.root = element("div", { class: "fields" }, ...rows);
  }

  /**
   * @returns {Record<string, unknown>} what was filled in; empty fields that need not be there are left out
   * @throws {Misfit}
   */
  values() {
    /** @type {Record<string, unknown>} */
    const values = {};
    for (const [name, { schema, field }] of this.#fields) {
      const value = read(name, schema, field);
      if (value !== undefined) values[name] = value;
    }
    return values;
  }

  /**
   * Show faults beside their fields.
   *
   * @param {import("./shapes.js").Fault[]} faults
   * @returns {string[]} those that belong to no field
   */
  tell(faults) {
    for (const { field, problem } of this.#fields.values()) {
      field.removeAttribute("aria-invalid");
      problem.textContent = "";
    }
    const rest = [];
    for (const { pointer, detail } of faults) {
      const found = this.#fields.get(pointer.split("/")[2] ?? "");
      if (!found) {
        rest.push(`${pointer} ${detail}`.trim());
        continue;
      }
      found.problem.textContent = detail;
      found.field.setAttribute("aria-invalid", "true");
    }
    return rest;
  }

  /**
   * @param {string} name
   * @param {Schema} schema
   * @param {boolean} required
   */
  #row(name, schema, required) {
    const id = `input-${name}`;
    const field = fieldOf(id, schema, required);
    field.setAttribute("aria-describedby", `${id}-hint ${id}-problem`);
    const problem = element("p", { id: `${id}-problem`, class: "problem", role: "alert" });
    this.#fields.set(name, { schema, field, problem });
    const hint = [schema.description, isText(schema) || schema.enum ? "" : `(${kindOf(schema)})`];
    return element(
      "div",
      { class: "field" },
      element("label", { for: id }, name, required ? "" : " (optional)"),
      element("p", { id: `${id}-hint`, class: "hint" }, hint.filter(Boolean).join(" ")),
      field,
      problem,
    );
  }
}

/** @param {Schema} schema */
function kindOf(schema) {
  const type = Array.isArray(schema.type) ? schema.type.find((kind) => kind !== "null") : schema.type;
  return type ?? "JSON";
}

/** @param {Schema} schema */
function isText(schema) {
  return kindOf(schema) === "string";
}

/**
 * @param {string} id
 * @param {Schema} schema
 * @param {boolean} required
 * @returns {Field}
 */
function fieldOf(id, schema, required) {
  const first = schema.default;
  if (schema.enum) {
    const choices = schema.enum.map((value) =>
      element("option", { value: JSON.stringify(value), selected: value === first }, String(value)),
    );
    return element("select", { id, required }, ...(required ? [] : [element("option", { value: "" }, "")]), ...choices);
  }
  const kind = kindOf(schema);
  if (kind === "boolean") return element("input", { id, type: "checkbox", checked: first === true });
  if (kind === "number" || kind === "integer") {
    const value = typeof first === "number" ? first : null;
    const step = kind === "integer" ? "1" : "any";
    return element("input", { id, type: "number", step, min: schema.minimum, max: schema.maximum, value, required });
  }
  const text = first === undefined || first === null ? "" : isText(schema) ? String(first) : JSON.stringify(first, null, 2);
  return element("textarea", { id, rows: isText(schema) ? 3 : 5, required, spellcheck: String(isText(schema)) }, text);
}

/**
 * @param {string} name
 * @param {Schema} schema
 * @param {Field} field
 * @returns {unknown} undefined for nothing
 */
function read(name, schema, field) {
  if (field instanceof HTMLInputElement && field.type === "checkbox") return field.checked;
  if (isText(schema) && !schema.enum) return field.value === "" && !field.required ? undefined : field.value;
  if (field.value.trim() === "") return undefined;
  try {
    return JSON.parse(field.value);
  } catch (error) {
    throw new Misfit(name, `This must be JSON: ${error instanceof Error ? error.message : error}`);
  }
}
