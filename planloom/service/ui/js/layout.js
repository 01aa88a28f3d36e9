/** Asks the worker for the places of nodes and edges. */

/** @typedef {import("./arrange.js").Placed} Placed */

export class Layout {
  #asked = 0;
  /** @type {Map<number, { done: (placed: Placed) => void, failed: (error: Error) => void }>} */
  #waiting = new Map();

  constructor() {
    this.worker = new Worker(trusted(new URL("layout_worker.js", import.meta.url).href), { type: "module" });
    this.worker.addEventListener("message", (event) => {
      this.#waiting.get(event.data.id)?.done(event.data);
      this.#waiting.delete(event.data.id);
    });
    this.worker.addEventListener("error", (event) => {
      for (const { failed } of this.#waiting.values()) failed(new Error(event.message || "the layout has failed"));
      this.#waiting.clear();
    });
  }

  /**
   * @param {import("./arrange.js").Question} question
   * @returns {Promise<Placed>}
   */
  place(question) {
    const id = ++this.#asked;
    return new Promise((done, failed) => {
      this.#waiting.set(id, { done, failed });
      this.worker.postMessage({ id, ...question });
    });
  }

  stop() {
    this.worker.terminate();
  }
}

/**
 * The page's policy takes no text for the address of a script, but for that of our own worker.
 *
 * @param {string} address
 * @returns {any}
 */
function trusted(address) {
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (!types) return address;
  policy ??= types.createPolicy("planloom-worker", { createScriptURL: (/** @type {string} */ text) => text });
  return policy.createScriptURL(address);
}

/** @type {any} */
let policy = null;
