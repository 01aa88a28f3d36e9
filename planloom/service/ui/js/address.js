/** Addresses of pages: `#/runs/RUN/NODE?view=timeline`. */

/** @typedef {{ parts: string[], query: Record<string, string> }} Address */

/** @returns {Address} */
export function readAddress() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { parts: path.split("/").map(decoded), query: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

/**
 * @param {string[]} parts
 * @param {Record<string, string>} [query] empty values are left out
 */
export function addressOf(parts, query = {}) {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  return `#/${parts.filter((part) => part !== "").map(encodeURIComponent).join("/")}${asked && `?${asked}`}`;
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
