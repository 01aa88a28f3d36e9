/** How an edge runs: out of one side of a node, past others in the lanes that the layout keeps free, into the next. */

/** @typedef {import("./layout.js").Point} Point */
/** @typedef {{ width: number, height: number, across: boolean }} Form size of nodes; whether the plan goes from left to right */

/**
 * @param {Point} from middle of the node
 * @param {Point} to
 * @param {Point[]} via middles of the lanes between
 * @param {Form} form
 * @returns {string} path of an SVG
 */
export function route(from, to, via, { width, height, across }) {
  const half = across ? width / 2 : height / 2;
  const moved = (/** @type {Point} */ { x, y }, /** @type {number} */ by) => (across ? { x: x + by, y } : { x, y: y + by });
  let here = moved(from, half);
  let path = `M${here.x} ${here.y}`;
  for (const place of [...via, to]) {
    const next = moved(place, -half);
    path += bend(here, next, across);
    if (place === to) break;
    here = moved(place, half);
    path += `L${here.x} ${here.y}`;
  }
  return path;
}

/**
 * @param {Point} a
 * @param {Point} b
 * @param {boolean} across
 */
function bend(a, b, across) {
  const [x, y] = [(a.x + b.x) / 2, (a.y + b.y) / 2];
  return across ? `C${x} ${a.y} ${x} ${b.y} ${b.x} ${b.y}` : `C${a.x} ${y} ${b.x} ${y} ${b.x} ${b.y}`;
}
