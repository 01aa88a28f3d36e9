/** Tabs over panels, one of which shows; only that one is kept up to date. */

import { element } from "./element.js";

/** @typedef {{ name: string, root: HTMLElement, update: () => void }} Panel */

export class Tabs {
  #at = 0;

  /**
   * @param {Panel[]} panels
   * @param {string} first name of the one to begin with
   * @param {(name: string) => void} onShow hears of each that somebody chooses
   */
  constructor(panels, first, onShow) {
    this.panels = panels;
    this.onShow = onShow;
    this.buttons = panels.map(({ name }, number) =>
      element("button", { type: "button", role: "tab", id: `tab-${number}`, onclick: () => this.#choose(number) }, name),
    );
    panels.forEach(({ root }, number) => {
      root.setAttribute("role", "tabpanel");
      root.setAttribute("aria-labelledby", `tab-${number}`);
    });
    const list = element("div", { role: "tablist", "aria-label": "Views of the run" }, ...this.buttons);
    list.addEventListener("keydown", (event) => this.#walk(event));
    this.root = element("section", { class: "tabs" }, list, ...panels.map(({ root }) => root));
    this.show(first);
  }

  update() {
    this.panels[this.#at].update();
  }

  /** @param {string} name the first one where there is none of that name */
  show(name) {
    const number = Math.max(0, this.panels.findIndex((panel) => panel.name.toLowerCase() === name.toLowerCase()));
    this.#at = number;
    this.panels.forEach(({ root }, other) => (root.hidden = other !== number));
    this.buttons.forEach((button, other) => {
      button.setAttribute("aria-selected", String(other === number));
      button.tabIndex = other === number ? 0 : -1;
    });
    this.update();
  }

  /** @param {number} number */
  #choose(number) {
    this.show(this.panels[number].name);
    this.onShow(this.panels[number].name);
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    this.#choose((this.#at + step + this.panels.length) % this.panels.length);
    this.buttons[this.#at].focus();
    event.preventDefault();
  }
}
