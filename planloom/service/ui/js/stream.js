/** Server-sent events by `fetch`, because an `EventSource` cannot send a key. */

import { Problem } from "./api.js";

/** @typedef {import("./shapes.js").RunEvent} RunEvent */
/** @typedef {{ id: number, event: RunEvent }} Numbered */

const SLOWEST_MS = 15_000;

export class Stream {
  #stopped = new AbortController();

  /**
   * @param {import("./api.js").Api} api
   * @param {string} runId
   * @param {(news: Numbered[]) => void} onNews gets what came together, in order, each event once
   * @param {(connected: boolean) => void} onState
   */
  constructor(api, runId, onNews, onState) {
    this.api = api;
    this.path = `/runs/${encodeURIComponent(runId)}/events`;
    this.onNews = onNews;
    this.onState = onState;
    this.last = 0;
  }

  /**
   * Follow until the run is over or `stop` is called; a stream that drops is taken up behind its last event.
   *
   * @throws {Problem} when asking again would not help
   */
  async follow() {
    let wait = 1000;
    while (!this.#stopped.signal.aborted) {
      try {
        const before = this.last;
        if (!(await this.#read())) return this.onState(true);
        wait = this.last > before ? 1000 : Math.min(wait * 2, SLOWEST_MS);
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        if (error instanceof Problem && error.status >= 400 && error.status < 500 && error.status !== 429) throw error;
        wait = Math.min(wait * 2, SLOWEST_MS);
        this.onState(false);
      }
      await this.#pause(wait);
    }
  }

  stop() {
    this.#stopped.abort();
  }

  /** @returns {Promise<boolean>} whether more may come */
  async #read() {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.last) headers["Last-Event-ID"] = String(this.last);
    const response = await this.api.send(this.path, { headers, signal: this.#stopped.signal });
    if (response.status === 204 || !response.body) return false;
    this.onState(true);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return true;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop() ?? "";
      const news = parts.map(readEvent).filter((found) => found !== null);
      if (news.length) {
        this.last = news[news.length - 1].id;
        this.onNews(news);
      }
    }
  }

  /** @param {number} ms */
  #pause(ms) {
    return new Promise((done) => {
      const timer = setTimeout(done, ms);
      this.#stopped.signal.addEventListener("abort", () => (clearTimeout(timer), done(undefined)), { once: true });
    });
  }
}

/**
 * @param {string} text one event as it goes over the wire
 * @returns {Numbered | null} null for a comment
 */
function readEvent(text) {
  let id = 0;
  const data = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("id: ")) id = Number(line.slice(4));
    else if (line.startsWith("data: ")) data.push(line.slice(6));
  }
  return data.length ? { id, event: JSON.parse(data.join("\n")) } : null;
}
