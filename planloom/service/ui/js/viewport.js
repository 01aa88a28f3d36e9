/** A large picture in a small frame: fit, zoom, drag, show a place. */

import { element } from "./element.js";

const READABLE = 0.6;
/** Below this no letter can be told from another: none is drawn, and nodes are spots of their colour. */
const LEGIBLE = 0.35;
/** Part of the window that the frame may take. */
const TALLEST = 0.65;

export class Viewport {
  #size = { width: 1, height: 1 };
  #zoom = 1;
  /** @type {"width" | "whole" | ""} what is kept when the frame changes; empty once somebody has zoomed */
  #keeps = "width";

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    this.svg = svg;
    this.frame = element("div", { class: "graph-scroll" }, svg);
    this.frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.frame.addEventListener("pointerdown", (event) => this.#grab(event));
    this.observer = new ResizeObserver(() => this.#keeps && this.fit(this.#keeps));
    this.observer.observe(this.frame);
  }

  get zoom() {
    return this.#zoom;
  }

  /** @param {{ width: number, height: number }} size of the picture at zoom 1 */
  resize(size) {
    this.#size = size;
    this.svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    if (this.#keeps) this.fit(this.#keeps);
    else this.scale(this.#zoom);
  }

  /** @param {"width" | "whole"} what `width` as far as it stays readable */
  fit(what) {
    this.#keeps = what;
    if (!this.frame.clientWidth) return;
    const across = (this.frame.clientWidth - 6) / this.#size.width;
    const down = (TALLEST * innerHeight) / this.#size.height;
    const whole = Math.max(Math.min(across, down), across / 4);
    this.#apply(Math.min(1, what === "whole" ? whole : Math.max(READABLE, across)));
  }

  /** @param {number} zoom what is in the middle of the frame stays there */
  scale(zoom) {
    const { frame } = this;
    const [left, top] = [frame.clientWidth / 2, frame.clientHeight / 2];
    const [x, y] = [(frame.scrollLeft + left) / this.#zoom, (frame.scrollTop + top) / this.#zoom];
    this.#keeps = "";
    this.#apply(zoom);
    frame.scrollTo({ left: x * this.#zoom - left, top: y * this.#zoom - top });
  }

  /**
   * @param {number} x in the picture
   * @param {number} y
   */
  show(x, y) {
    const { frame } = this;
    frame.scrollTo({ left: x * this.#zoom - frame.clientWidth / 2, top: y * this.#zoom - frame.clientHeight / 2 });
  }

  stop() {
    this.observer.disconnect();
  }

  /** @param {number} zoom */
  #apply(zoom) {
    this.#zoom = Math.max(0.05, Math.min(3, zoom));
    this.svg.classList.toggle("far", this.#zoom < LEGIBLE);
    this.svg.setAttribute("width", String(this.#size.width * this.#zoom));
    this.svg.setAttribute("height", String(this.#size.height * this.#zoom));
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const box = this.frame.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const [x, y] = [(this.frame.scrollLeft + left) / this.#zoom, (this.frame.scrollTop + top) / this.#zoom];
    this.scale(this.#zoom * Math.exp(-event.deltaY / 300));
    this.frame.scrollTo({ left: x * this.#zoom - left, top: y * this.#zoom - top });
  }

  /** @param {PointerEvent} event */
  #grab(event) {
    const on = event.target instanceof Element && event.target.closest("[data-node]");
    if (on || event.button !== 0 || event.pointerType !== "mouse") return;
    const { frame } = this;
    const start = { x: event.clientX + frame.scrollLeft, y: event.clientY + frame.scrollTop };
    const move = (/** @type {PointerEvent} */ now) => frame.scrollTo({ left: start.x - now.clientX, top: start.y - now.clientY });
    const stop = () => frame.removeEventListener("pointermove", move);
    frame.setPointerCapture(event.pointerId);
    frame.addEventListener("pointermove", move);
    frame.addEventListener("pointerup", stop, { once: true });
    frame.addEventListener("pointercancel", stop, { once: true });
  }
}
