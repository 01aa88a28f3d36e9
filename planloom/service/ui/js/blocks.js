/**
 * Which parts of a plan are alike and stand side by side, so that they can be drawn as one block: the forty nodes between
 * one that splits the work and one that gathers it, or chains that have nothing to do with each other.
 */

/** @typedef {[string, string]} Edge from a node to one behind it */
/** @typedef {{ id: string, parts: string[][], before: string[], behind: string[] }} Block parts that all stand behind the
 *   same nodes and before the same nodes; `id` is no node's */

/**
 * @param {string[]} nodes
 * @param {Edge[]} edges
 * @param {number} least how many parts make a block
 * @returns {Block[]}
 */
export function blocksOf(nodes, edges, least) {
  const hubs = hubsOf(edges, least);
  const loose = nodes.filter((id) => !hubs.has(id));
  /** @type {Map<string, Block>} */
  const found = new Map();
  for (const { part, before, behind } of partsOf(loose, edges)) {
    const key = JSON.stringify([before, behind]);
    const block = found.get(key) ?? { id: `block ${key}`, parts: [], before, behind };
    block.parts.push(part);
    found.set(key, block);
  }
  return [...found.values()].filter(({ parts }) => parts.length >= least);
}

/**
 * @param {Edge[]} edges
 * @param {number} least
 * @returns {Set<string>} nodes where work is split or gathered
 */
function hubsOf(edges, least) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const [from, to] of edges)
    for (const end of [`${from}\n>`, `${to}\n<`]) counts.set(end, (counts.get(end) ?? 0) + 1);
  return new Set([...counts].filter(([, count]) => count >= least).map(([end]) => end.slice(0, -2)));
}

/**
 * @param {string[]} nodes
 * @param {Edge[]} edges also of nodes that are not among them
 * @returns {{ part: string[], before: string[], behind: string[] }[]} what hangs together, and what stands around it
 */
function partsOf(nodes, edges) {
  /** @type {Map<string, string>} towards the one that speaks for all of a part */
  const heads = new Map(nodes.map((id) => [id, id]));
  const headOf = (/** @type {string} */ id) => {
    let head = id;
    for (let next = heads.get(head); next !== undefined && next !== head; next = heads.get(head)) head = next;
    heads.set(id, head);
    return head;
  };
  for (const [from, to] of edges) if (heads.has(from) && heads.has(to)) heads.set(headOf(to), headOf(from));
  /** @type {Map<string, { part: string[], before: Set<string>, behind: Set<string> }>} */
  const parts = new Map();
  for (const id of nodes) {
    const head = headOf(id);
    if (!parts.has(head)) parts.set(head, { part: [], before: new Set(), behind: new Set() });
    parts.get(head)?.part.push(id);
  }
  for (const [from, to] of edges) {
    if (!heads.has(from)) parts.get(heads.has(to) ? headOf(to) : "")?.before.add(from);
    if (!heads.has(to)) parts.get(heads.has(from) ? headOf(from) : "")?.behind.add(to);
  }
  return [...parts.values()].map(({ part, before, behind }) => ({ part, before: [...before].sort(), behind: [...behind].sort() }));
}
