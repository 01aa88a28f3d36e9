/** Opens the page that the address names. */

import { readAddress } from "./address.js";
import { Api, Problem } from "./api.js";
import { showBar } from "./bar.js";
import { element } from "./element.js";
import { showLogin } from "./login.js";
import { QualityPage } from "./quality_page.js";
import { RunPage } from "./run_page.js";
import { RunsPage } from "./runs_page.js";
import { Session } from "./session.js";
import { StartPage } from "./start_page.js";

/** @typedef {import("./address.js").Address} Address */
/** @typedef {{ title: string, open(): Promise<void>, close(): void, goTo?(address: Address): boolean }} Page */

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
    const address = readAddress();
    if (this.#page?.goTo?.(address)) return;
    this.#page?.close();
    const page = (this.#page = this.#made(address));
    showBar(this.bar, this.session, address.parts[0]);
    document.title = `${page.title} · Planloom`;
    try {
      await page.open();
      if (page === this.#page && !this.main.contains(document.activeElement)) this.main.focus({ preventScroll: true });
    } catch (error) {
      if (page === this.#page) this.#failed(error);
    }
  }

  /**
   * Each page draws in a root of its own, so that one whose answers come late cannot draw over the page after it.
   *
   * @param {Address} address
   * @returns {Page}
   */
  #made(address) {
    const [kind, name] = address.parts;
    const root = element("div");
    this.main.replaceChildren(root);
    const failed = (/** @type {unknown} */ error) => this.#failed(error);
    if (kind === "runs" && name) return new RunPage(this.api, root, address, failed);
    if (kind === "start") return new StartPage(this.api, root, name ?? "");
    if (kind === "quality") return new QualityPage(this.api, root, address);
    return new RunsPage(this.api, root, address);
  }

  /** @param {unknown} error */
  #failed(error) {
    this.#page?.close();
    this.#page = null;
    const told = error instanceof Error ? error.message : String(error);
    if (error instanceof Problem && error.status === 401) return showLogin(this.main, this.session, told, () => this.open());
    const missing = error instanceof Problem && error.status === 404;
    this.main.replaceChildren(
      element("h1", {}, missing ? "Not here" : "That did not work"),
      element("p", { class: "problem", role: "alert" }, told),
      element(
        "div",
        { class: "deeds" },
        element("button", { type: "button", onclick: () => this.open() }, "Try again"),
        element("a", { class: "button", href: "#/runs" }, "All runs"),
      ),
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
