/** What a form is made of: groups of named values, lists, and single fields. */

import { element } from "./element.js";
import { controlOf, hintOf, kindOf, read } from "./form_field.js";

/** @typedef {import("./shapes.js").Schema} Schema */
/** @typedef {{ root: HTMLElement, rename(name: string): void, read(): unknown, clear(): void,
 *   tell(steps: string[], detail: string): boolean }} Part `read` returns undefined for nothing; `tell` whether it has shown
 *   a fault at that place or nearest to it */

/** More elements than this are written as JSON. */
const MOST = 30;

/** A value that is not what the schema asks for, before the service was asked. */
export class Misfit extends Error {
  /**
   * @param {string[]} path
   * @param {string} detail
   */
  constructor(path, detail) {
    super(detail);
    this.pointer = `/${path.join("/")}`;
  }
}

/**
 * @param {string[]} path
 * @param {Schema} schema
 * @param {boolean} required
 * @param {unknown} value to begin with; undefined for none
 * @returns {Part}
 */
function partOf(path, schema, required, value) {
  const kind = kindOf(schema);
  if (kind === "object" && schema.properties && !schema.enum) return new Fieldset(path, schema, required, value);
  const few = !Array.isArray(value) || value.length <= MOST;
  if (kind === "array" && schema.items && !schema.enum && few) return new List(path, schema, required, value);
  return new Single(path, schema, required, value);
}

/** Named values. */
export class Group {
  /** @type {Map<string, Part>} */
  #parts = new Map();

  /**
   * @param {string[]} path
   * @param {Schema} schema
   * @param {Record<string, unknown>} first
   */
  constructor(path, schema, first) {
    for (const [name, each] of Object.entries(schema.properties ?? {})) {
      const required = (schema.required ?? []).includes(name);
      this.#parts.set(name, partOf([...path, name], each, required, name in first ? first[name] : each.default));
    }
    this.rows = [...this.#parts.values()].map(({ root }) => root);
  }

  /** @returns {Record<string, unknown>} */
  values() {
    const found = [...this.#parts].map(([name, part]) => /** @type {[string, unknown]} */ ([name, part.read()]));
    return Object.fromEntries(found.filter(([, value]) => value !== undefined));
  }

  clear() {
    for (const part of this.#parts.values()) part.clear();
  }

  /**
   * @param {string[]} steps
   * @param {string} detail
   */
  tell([name, ...steps], detail) {
    return this.#parts.get(name ?? "")?.tell(steps, detail) ?? false;
  }
}

/** @implements {Part} */
class Fieldset {
  /**
   * @param {string[]} path
   * @param {Schema} schema
   * @param {boolean} required
   * @param {unknown} value
   */
  constructor(path, schema, required, value) {
    this.required = required;
    this.group = new Group(path, schema, typeof value === "object" && value ? /** @type {any} */ (value) : {});
    this.frame = new Frame(path, schema, required, this.group.rows);
    this.root = this.frame.root;
  }

  /** @param {string} name */
  rename(name) {
    this.frame.rename(name);
  }

  read() {
    const values = this.group.values();
    return this.required || Object.keys(values).length ? values : undefined;
  }

  clear() {
    this.frame.tell("");
    this.group.clear();
  }

  /**
   * @param {string[]} steps
   * @param {string} detail
   */
  tell(steps, detail) {
    return this.group.tell(steps, detail) || this.frame.tell(detail);
  }
}

/** @implements {Part} */
class List {
  /** @type {Part[]} */
  #parts = [];

  /**
   * @param {string[]} path
   * @param {Schema} schema
   * @param {boolean} required
   * @param {unknown} value
   */
  constructor(path, schema, required, value) {
    this.path = path;
    this.items = /** @type {Schema} */ (schema.items);
    this.needed = required || schema.default !== undefined;
    this.rows = element("div", { class: "items" });
    const more = element("button", { type: "button", onclick: () => this.#focus(this.#add(this.items.default)) }, `Add to ${nameOf(path)}`);
    this.frame = new Frame(path, schema, required, [this.rows, more]);
    this.root = this.frame.root;
    for (const each of Array.isArray(value) ? value : []) this.#add(each);
  }

  /** @param {string} name */
  rename(name) {
    this.frame.rename(name);
  }

  read() {
    const values = this.#parts.map((part) => part.read() ?? null);
    return this.needed || values.length ? values : undefined;
  }

  clear() {
    this.frame.tell("");
    for (const part of this.#parts) part.clear();
  }

  /**
   * @param {string[]} steps
   * @param {string} detail
   */
  tell([at, ...steps], detail) {
    return this.#parts[Number(at ?? -1)]?.tell(steps, detail) || this.frame.tell(detail);
  }

  /** @param {unknown} value */
  #add(value) {
    const path = [...this.path, String(this.#parts.length)];
    const part = partOf(path, this.items, true, value);
    const row = element("div", { class: "item" }, part.root);
    row.append(element("button", { type: "button", onclick: () => this.#drop(part, row) }, "Remove"));
    this.rows.append(row);
    this.#parts.push(part);
    this.#number();
    return part;
  }

  /**
   * @param {Part} part
   * @param {HTMLElement} row
   */
  #drop(part, row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    this.#parts.splice(this.#parts.indexOf(part), 1);
    this.#number();
    const button = next?.querySelector(":scope > button") ?? this.root.querySelector(":scope > button");
    if (button instanceof HTMLElement) button.focus();
  }

  #number() {
    this.#parts.forEach((part, at) => part.rename(`${nameOf(this.path)} ${at + 1}`));
  }

  /** @param {Part} part */
  #focus(part) {
    const field = part.root.querySelector("input, select, textarea, button");
    if (field instanceof HTMLElement) field.focus();
  }
}

/** @implements {Part} */
class Single {
  /**
   * @param {string[]} path
   * @param {Schema} schema
   * @param {boolean} required
   * @param {unknown} value
   */
  constructor(path, schema, required, value) {
    const id = idOf(path);
    this.path = path;
    this.schema = schema;
    this.required = required;
    this.control = controlOf(id, schema, required, value);
    this.control.setAttribute("aria-describedby", `${id}-hint ${id}-problem`);
    this.name = element("label", { for: id }, nameOf(path));
    this.problem = element("p", { id: `${id}-problem`, class: "problem", role: "alert" });
    const hint = element("p", { id: `${id}-hint`, class: "hint" }, hintOf(schema, required));
    const label = element("div", {}, this.name, !required && element("span", { class: "hint" }, " optional"));
    this.root = element("div", { class: "field" }, label, hint, this.control, this.problem);
  }

  /** @param {string} name */
  rename(name) {
    this.name.textContent = name;
  }

  /** @throws {Misfit} */
  read() {
    try {
      return read(this.schema, this.control, this.required);
    } catch (error) {
      throw new Misfit(this.path, `This must be JSON: ${error instanceof Error ? error.message : error}`);
    }
  }

  clear() {
    this.problem.textContent = "";
    this.control.removeAttribute("aria-invalid");
  }

  /**
   * @param {string[]} steps
   * @param {string} detail
   */
  tell(steps, detail) {
    this.problem.textContent = steps.length ? `${steps.join(".")}: ${detail}` : detail;
    this.control.setAttribute("aria-invalid", "true");
    return true;
  }
}

/** Draws what belongs together, with its name and what is wrong with it as a whole. */
class Frame {
  /**
   * @param {string[]} path
   * @param {Schema} schema
   * @param {boolean} required
   * @param {HTMLElement[]} inside
   */
  constructor(path, schema, required, inside) {
    this.name = element("span", {}, nameOf(path));
    this.problem = element("p", { class: "problem", role: "alert" });
    this.root = element(
      "fieldset",
      { class: "field" },
      element("legend", {}, this.name, !required && element("span", { class: "hint" }, " optional")),
      schema.description && element("p", { class: "hint" }, schema.description),
      ...inside,
      this.problem,
    );
  }

  /** @param {string} name */
  rename(name) {
    this.name.textContent = name;
  }

  /** @param {string} detail */
  tell(detail) {
    this.problem.textContent = detail;
    return true;
  }
}

/** @param {string[]} path */
function idOf(path) {
  return `${path.join("-")}-${serial++}`;
}

/** @param {string[]} path */
function nameOf(path) {
  return path[path.length - 1];
}

let serial = 0;
