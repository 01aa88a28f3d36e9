/** One field of a form: what it looks like, what is said of it, and the value in it. */

import { element } from "./element.js";
import { several } from "./words.js";

/** @typedef {import("./shapes.js").Schema} Schema */
/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

/** @type {Record<string, string>} */
const SAID = { integer: "A whole number", number: "A number", array: "A list, as JSON", object: "An object, as JSON", JSON: "As JSON" };

/** @param {Schema} schema */
export function kindOf(schema) {
  const type = Array.isArray(schema.type) ? schema.type.find((kind) => kind !== "null") : schema.type;
  return type ?? "JSON";
}

/**
 * @param {Schema} schema
 * @param {boolean} required
 */
export function hintOf(schema, required) {
  const { minimum: least, maximum: most, minLength: short = 0, maxLength: long, default: first } = schema;
  const range = [least === undefined ? "" : `at least ${least}`, most === undefined ? "" : `at most ${most}`].filter(Boolean).join(", ");
  const number = kindOf(schema) === "integer" || kindOf(schema) === "number";
  const parts = [
    schema.enum ? "" : [SAID[kindOf(schema)], range].filter(Boolean).join(", "),
    short > 1 ? `At least ${several(short, "character")}` : "",
    long === undefined ? "" : `At most ${several(long, "character")}`,
    number && !required && first !== undefined ? `Left empty, it is ${first}` : "",
  ];
  return [schema.description ?? "", ...parts.filter(Boolean).map((part) => `${part}.`)].filter(Boolean).join(" ");
}

/**
 * @param {string} id
 * @param {Schema} schema
 * @param {boolean} required
 * @param {unknown} value to begin with; undefined for none
 * @returns {Control}
 */
export function controlOf(id, schema, required, value) {
  const kind = kindOf(schema);
  const choices = choicesOf(schema, required);
  if (choices) {
    const all = choices.map((each) => element("option", { value: JSON.stringify(each), selected: same(each, value) }, worded(each)));
    const none = choices.some((each) => same(each, value)) ? [] : [element("option", { value: "" }, required ? "choose…" : "")];
    return element("select", { id, required }, ...none, ...all);
  }
  if (kind === "boolean") return element("input", { id, type: "checkbox", checked: value === true });
  if (kind === "number" || kind === "integer") {
    const step = kind === "integer" ? "1" : "any";
    const first = typeof value === "number" ? value : null;
    return element("input", { id, type: "number", step, min: schema.minimum, max: schema.maximum, value: first, required });
  }
  const text = value === undefined || value === null ? "" : kind === "string" ? String(value) : JSON.stringify(value, null, 2);
  const limits = kind === "string" ? { minlength: schema.minLength, maxlength: schema.maxLength } : {};
  return element("textarea", { id, rows: kind === "string" ? 1 : 4, required: required && schema.minLength !== 0, spellcheck: String(kind === "string"), ...limits }, text);
}

/**
 * @param {Schema} schema
 * @param {Control} control
 * @param {boolean} required
 * @returns {unknown} undefined for nothing
 * @throws {SyntaxError} it is no JSON
 */
export function read(schema, control, required) {
  if (control instanceof HTMLInputElement && control.type === "checkbox") return control.checked;
  const { value } = control;
  if (kindOf(schema) === "string" && !(control instanceof HTMLSelectElement))
    return value === "" && !required && !schema.default ? undefined : value;
  return value.trim() === "" ? undefined : JSON.parse(value);
}

/**
 * @param {Schema} schema
 * @param {boolean} required
 * @returns {unknown[] | null} values to choose from
 */
function choicesOf(schema, required) {
  if (schema.enum) return schema.enum;
  return kindOf(schema) === "boolean" && !required && schema.default === undefined ? [true, false] : null;
}

/** @param {unknown} value */
function worded(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * @param {unknown} one
 * @param {unknown} other
 */
function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}
