/** Opens the page that the address names. */

import { Api, Problem } from "./api.js";
import { showBar } from "./bar.js";
import { element } from "./element.js";
import { showLogin } from "./login.js";
import { RunPage } from "./run_page.js";
import { RunsPage } from "./runs_page.js";
import { Session } from "./session.js";
import { StartPage } from "./start_page.js";

/** @typedef {{ title: string, open(): Promise<void>, close(): void, goTo?(rest: string[]): boolean }} Page */

class App {
  /** @type {Page | null} */
  #page = null;

  constructor() {
    const base = document.querySelector('meta[name="planloom-api"]')?.getAttribute("content") ?? "../v1";
    this.session = new Session();
    this.api = new Api(base, this.session);
    this.main = /** @type {HTMLElement} */ (document.getElementById("main"));
    this.bar = /** @type {HTMLElement} */ (document.getElementById("bar"));
  }

  async open() {
    const parts = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
    if (this.#page?.goTo?.(parts)) return;
    this.#page?.close();
    const page = (this.#page = this.#made(parts));
    showBar(this.bar, this.session);
    document.title = `${page.title} · Planloom`;
    try {
      await page.open();
      if (page === this.#page && !this.main.contains(document.activeElement)) this.main.focus();
    } catch (error) {
      if (page === this.#page) this.#failed(error);
    }
  }

  /**
   * @param {string[]} parts
   * @returns {Page}
   */
  #made([kind, name, ...rest]) {
    const failed = (/** @type {unknown} */ error) => this.#failed(error);
    if (kind === "runs" && name) return new RunPage(this.api, this.main, name, rest[0] ?? "", failed);
    if (kind === "start") return new StartPage(this.api, this.main, name ?? "");
    return new RunsPage(this.api, this.main);
  }

  /** @param {unknown} error */
  #failed(error) {
    this.#page?.close();
    this.#page = null;
    const told = error instanceof Error ? error.message : String(error);
    if (error instanceof Problem && error.status === 401) showLogin(this.main, this.session, told, () => this.open());
    else
      this.main.replaceChildren(
        element("h1", {}, "That did not work"),
        element("p", { class: "problem", role: "alert" }, told),
        element("button", { type: "button", onclick: () => this.open() }, "Try again"),
      );
  }
}

const app = new App();
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main")?.focus();
});
addEventListener("hashchange", () => app.open());
void app.open();
