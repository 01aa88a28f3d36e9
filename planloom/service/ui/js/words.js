/** How numbers and times are written. */

/** @param {number | null | undefined} value */
export function usd(value) {
  if (value === null || value === undefined) return "?";
  if (value === 0) return "$0";
  if (value < 0.0001) return `$${value.toFixed(Math.min(20, 1 - Math.floor(Math.log10(value))))}`;
  const digits = value < 1 ? 4 : 2;
  return `$${value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds === 0) return "0 s";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** @param {number | null | undefined} at seconds since the epoch */
export function moment(at) {
  if (!at) return "";
  const date = new Date(at * 1000);
  /** @type {"numeric" | undefined} */
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  const parts = /** @type {const} */ ({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return date.toLocaleString(undefined, { year, ...parts });
}

/**
 * @param {string} state of a node
 * @param {string} status of its run
 * @returns {string} what is pending in a run that is over has not run
 */
export function stateIn(state, status) {
  return state === "pending" && ["done", "partial", "failed", "cancelled"].includes(status) ? "not run" : state;
}

/** @param {number} value */
export function count(value) {
  return value.toLocaleString();
}

/**
 * @param {number} value
 * @param {string} one the word for one of them
 */
export function several(value, one) {
  return `${count(value)} ${one}${value === 1 ? "" : "s"}`;
}

/** @param {number} at seconds since the epoch */
export function clock(at) {
  return new Date(at * 1000).toLocaleTimeString();
}

/**
 * @param {number} part
 * @param {number} whole
 */
export function percent(part, whole) {
  const value = whole > 0 ? (100 * part) / whole : 0;
  return value > 0 && value < 1 ? "<1 %" : `${Math.round(value)} %`;
}

/**
 * @param {string} text
 * @param {number} most
 */
export function shortened(text, most) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
