/** Tabs over panels, one of which shows; only that one is kept up to date. */

import { element } from "./element.js";

/** @typedef {{ name: string, root: HTMLElement, update: () => void }} Panel */

export class Tabs {
  #at = 0;

  /** @param {Panel[]} panels */
  constructor(panels) {
    this.panels = panels;
    this.buttons = panels.map(({ name }, number) =>
      element("button", { type: "button", role: "tab", id: `tab-${number}`, onclick: () => this.show(number) }, name),
    );
    panels.forEach(({ root }, number) => {
      root.setAttribute("role", "tabpanel");
      root.setAttribute("aria-labelledby", `tab-${number}`);
    });
    const list = element("div", { role: "tablist", "aria-label": "Views of the run" }, ...this.buttons);
    list.addEventListener("keydown", (event) => this.#walk(event));
    this.root = element("section", { class: "tabs" }, list, ...panels.map(({ root }) => root));
    this.show(0);
  }

  update() {
    this.panels[this.#at].update();
  }

  /** @param {number} number */
  show(number) {
    this.#at = number;
    this.panels.forEach(({ root }, other) => (root.hidden = other !== number));
    this.buttons.forEach((button, other) => {
      button.setAttribute("aria-selected", String(other === number));
      button.tabIndex = other === number ? 0 : -1;
    });
    this.update();
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    this.show((this.#at + step + this.panels.length) % this.panels.length);
    this.buttons[this.#at].focus();
    event.preventDefault();
  }
}
