/** A point in time: short, and in full to whoever points at it. */

import { element } from "./element.js";
import { moment } from "./words.js";

/** @param {number | null | undefined} at seconds since the epoch */
export function momentOf(at) {
  if (!at) return "";
  const date = new Date(at * 1000);
  const whole = date.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  return element("time", { datetime: date.toISOString(), title: whole }, moment(at));
}
