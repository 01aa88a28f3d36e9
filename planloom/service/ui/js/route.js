/** How an edge runs: out of one side of a node, past others in the lanes that the layout keeps free, into the next. */

/** @typedef {import("./arrange.js").Point} Point */
/** @typedef {import("./arrange.js").Box} Box */
/** @typedef {import("./arrange.js").Lane} Lane */

/**
 * @param {Box} from
 * @param {Box} to
 * @param {Lane[]} via middles of the lanes between
 * @param {boolean} across whether the plan goes from left to right
 * @returns {string} path of an SVG
 */
export function route(from, to, via, across) {
  const half = (/** @type {Box} */ box) => (across ? box.width / 2 : box.height / 2);
  const moved = (/** @type {Point} */ { x, y }, /** @type {number} */ by) => (across ? { x: x + by, y } : { x, y: y + by });
  let here = moved(from, half(from));
  let path = `M${here.x} ${here.y}`;
  for (const lane of via) {
    const [next, end] = [moved(lane, -lane.half), moved(lane, lane.half)];
    path += `${bend(here, next, across)}L${end.x} ${end.y}`;
    here = end;
  }
  return path + bend(here, moved(to, -half(to)), across);
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
