/** A time axis on which long pauses, when nothing was at work, take little room. */

const MOST_OF_WORK = 0.08;

export class Axis {
  /** @type {{ from: number, to: number, at: number, shown: number }[]} stretches of time, and their room */
  #stretches = [];
  length = 0;
  cuts = 0;

  /**
   * @param {number} start
   * @param {number[][]} busy pairs of beginnings and ends
   */
  constructor(start, busy) {
    const merged = joined(busy);
    const work = merged.reduce((sum, [from, to]) => sum + to - from, 0) || 1;
    let before = start;
    for (const [from, to] of merged) {
      this.#add(before, from, Math.min(Math.max(0, from - before), work * MOST_OF_WORK));
      this.#add(Math.max(from, before), to, to - from);
      before = to;
    }
  }

  /** @param {number} time */
  percent(time) {
    const found = this.#stretches.find(({ to }) => time <= to) ?? this.#stretches[this.#stretches.length - 1];
    if (!found || !this.length) return 0;
    const part = found.to > found.from ? Math.min(1, Math.max(0, (time - found.from) / (found.to - found.from))) : 0;
    return (100 * (found.at + part * found.shown)) / this.length;
  }

  /**
   * @param {number} from
   * @param {number} to
   * @param {number} shown
   */
  #add(from, to, shown) {
    if (to <= from) return;
    this.cuts += shown < (to - from) * 0.999 ? 1 : 0;
    this.#stretches.push({ from, to, at: this.length, shown });
    this.length += shown;
  }
}

/**
 * @param {number[][]} spans
 * @returns {number[][]} without overlaps, in order
 */
function joined(spans) {
  /** @type {number[][]} */
  const found = [];
  for (const [from, to] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = found[found.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else found.push([from, to]);
  }
  return found;
}
