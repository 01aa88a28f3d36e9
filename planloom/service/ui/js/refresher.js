/** Does one thing again whenever it is asked to, one at a time and not more often than is good for the service. */
export class Refresher {
  #running = false;
  #again = false;
  #stopped = false;

  /**
   * @param {() => Promise<void>} work
   * @param {number} everyMs time between two ends and starts at least; work that takes long is done less often
   */
  constructor(work, everyMs) {
    this.work = work;
    this.everyMs = everyMs;
  }

  async ask() {
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const began = performance.now();
      await this.work();
      const took = performance.now() - began;
      await new Promise((done) => setTimeout(done, Math.max(this.everyMs, 2 * took)));
    }
    this.#running = false;
  }

  stop() {
    this.#stopped = true;
  }
}
