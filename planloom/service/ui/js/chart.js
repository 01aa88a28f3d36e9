/** A chart of a share, from 0 to 100 %, over another that may be more: marks for single places, lines for curves. */

import { drawn } from "./element.js";

const [WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM] = [640, 400, 72, 16, 28, 48];
const SHAPES = ["●", "◆", "▲", "■", "★"];
const DASHES = ["━", "╍", "┅"];

export class Chart {
  #marks = 0;
  #lines = 0;

  /**
   * @param {string} across what the horizontal axis says
   * @param {string} up
   * @param {number} [most] that the horizontal axis reaches, at least 1
   */
  constructor(across, up, most = 1) {
    this.most = most;
    const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": `${up} over ${across}; the table says the same` };
    this.root = drawn("svg", box, ...grid(most));
    this.root.append(
      drawn("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 8, class: "middle" }, across),
      drawn("text", { transform: `translate(14 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)`, class: "middle" }, up),
    );
  }

  /**
   * @param {string} name
   * @param {[number, number][]} places
   * @returns {string} what it looks like
   */
  line(name, places) {
    const kind = this.#lines++ % 3;
    this.#path(places, `line-${kind}`, name);
    return DASHES[kind];
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  random(from, to) {
    this.#path([[0, from], [1, to]], "random", "random choice");
  }

  /**
   * @param {string} name
   * @param {number} x
   * @param {number} y
   * @param {number} open how much more it may be
   * @returns {string} what it looks like
   */
  mark(name, x, y, open) {
    const shape = SHAPES[this.#marks++ % SHAPES.length];
    if (open > 0) this.root.append(drawn("path", { d: `M${left(x / this.most)} ${top(y)}V${top(Math.min(1, y + open))}`, class: "open" }));
    const text = drawn("text", { x: left(x / this.most), y: top(y) + 6, class: "middle shape" }, drawn("title", {}, name), shape);
    this.root.append(text);
    return shape;
  }

  /**
   * @param {[number, number][]} places
   * @param {string} kind
   * @param {string} name
   */
  #path(places, kind, name) {
    const d = places.map(([x, y], at) => `${at ? "L" : "M"}${left(x / this.most)} ${top(y)}`).join("");
    this.root.append(drawn("path", { d, class: `curve ${kind}` }, drawn("title", {}, name)));
  }
}

/** @param {number} most on the horizontal axis */
function grid(most) {
  return [0, 0.25, 0.5, 0.75, 1].flatMap((part) => [
    drawn("path", { class: "grid", d: `M${LEFT} ${top(part)}H${WIDTH - RIGHT}M${left(part)} ${TOP}V${HEIGHT - BOTTOM}` }),
    drawn("text", { x: LEFT - 8, y: top(part) + 4, class: "end" }, `${100 * part} %`),
    drawn("text", { x: left(part), y: HEIGHT - BOTTOM + 18, class: "middle" }, `${Math.round(100 * part * most)} %`),
  ]);
}

/** @param {number} share */
function left(share) {
  return LEFT + share * (WIDTH - LEFT - RIGHT);
}

/** @param {number} share */
function top(share) {
  return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}
