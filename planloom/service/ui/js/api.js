/** The service, as this page asks it. */

/** @typedef {import("./shapes.js").Fault} Fault */

/** An answer that is a problem document (RFC 9457), or none at all (status 0). */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   * @param {Fault[]} [errors]
   * @param {number} [retryAfter] seconds
   */
  constructor(status, detail, errors = [], retryAfter = 0) {
    super(detail);
    this.status = status;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }
}

export class Api {
  /**
   * @param {string} base address of `/v1`, relative to the page
   * @param {import("./session.js").Session} session
   */
  constructor(base, session) {
    this.base = base.replace(/\/$/, "");
    this.session = session;
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} [query] empty values are left out
   * @returns {Promise<any>}
   */
  async get(path, query = {}) {
    const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
    const text = asked.toString();
    return (await this.send(text ? `${path}?${text}` : path)).json();
  }

  /**
   * @param {string} path
   * @param {unknown} [body]
   * @param {Record<string, string>} [headers]
   * @returns {Promise<any>}
   */
  async post(path, body, headers = {}) {
    if (body === undefined) return (await this.send(path, { method: "POST", headers })).json();
    const typed = { ...headers, "Content-Type": "application/json" };
    return (await this.send(path, { method: "POST", headers: typed, body: JSON.stringify(body) })).json();
  }

  /**
   * Send a request and return an answer that is no error.
   *
   * @param {string} path
   * @param {Omit<RequestInit, "headers"> & { headers?: Record<string, string> }} [init]
   * @returns {Promise<Response>}
   * @throws {Problem}
   */
  async send(path, init = {}) {
    const key = this.session.key;
    const headers = { ...init.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
    let response;
    try {
      response = await fetch(this.base + path, { ...init, headers, credentials: "same-origin" });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new Problem(0, "The service cannot be reached.");
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  }
}

/** @param {Response} response */
async function problemOf(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || 0;
  try {
    const said = await response.json();
    return new Problem(response.status, said.detail || said.title, said.errors ?? [], retryAfter);
  } catch {
    return new Problem(response.status, `The service answered ${response.status}.`, [], retryAfter);
  }
}
