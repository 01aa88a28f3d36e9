/** How numbers and times are written. */

/** @param {number | null | undefined} value */
export function usd(value) {
  if (value === null || value === undefined) return "?";
  if (value === 0) return "$0";
  return `$${value.toFixed(value < 0.01 ? 5 : value < 1 ? 4 : 2)}`;
}

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** @param {number | null | undefined} at seconds since the epoch */
export function moment(at) {
  return at ? new Date(at * 1000).toLocaleString() : "";
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
