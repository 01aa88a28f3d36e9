/** A panel's board: who claims what, what still stands, what contradicts what, and what the moderator made of it. */

import { element } from "./element.js";
import { shown } from "./value.js";
import { several } from "./words.js";

/** @typedef {import("./shapes.js").Panel} Panel */
/** @typedef {import("./shapes.js").Claim} Claim */

/** @type {Record<string, string>} */
const STOPPED = {
  agreement: "It agrees",
  dissent: "The moderator is decided; what is open is recorded as dissent",
  no_news: "A round brought nothing new",
  contradiction: "A contradiction was escalated",
  rounds: "Its rounds are used up",
  calls: "Its calls are used up",
  budget: "The budget is used up",
};

/** @param {Panel} panel */
export function board({ board: { claims, withdrawn, rulings, merge, round }, stopped, dissent }) {
  const overruled = new Set(rulings.flatMap(({ claims: pair, keep }) => (keep === "both" ? [] : pair.filter((id) => id !== keep))));
  const gone = (/** @type {Claim} */ { id }) => (overruled.has(id) ? "overruled" : withdrawn.includes(id) ? "withdrawn" : "");
  const open = new Set(dissent.flatMap(({ claims: pair }) => pair));
  const subjects = [...new Set(claims.map(({ subject }) => subject))];
  const end = stopped ? `${STOPPED[stopped] ?? stopped}, after ${several(round, "round")}.` : `Round ${round} is under way.`;
  return element(
    "div",
    { class: "board" },
    element("p", { class: "hint" }, end),
    ...subjects.map((subject) =>
      element(
        "section",
        { class: "subject", "aria-label": `Claims about ${subject}` },
        element("h3", {}, subject),
        ...claims.filter((claim) => claim.subject === subject).map((claim) => drawnClaim(claim, gone(claim), open.has(claim.id))),
      ),
    ),
    dissent.length > 0 &&
      list(
        "contradictions",
        stopped ? "Contradictions left open" : "Contradictions",
        dissent.map(({ claims: pair, subject, reason }) => `${pair.join(" against ")} on ${subject}: ${reason}`),
      ),
    rulings.length > 0 &&
      list(
        "rulings",
        "Rulings",
        rulings.map(({ claims: pair, keep, reason }) => `${pair.join(" against ")}: ${keep === "both" ? "both stand" : `${keep} stands`}. ${reason}`),
      ),
    merge?.question && element("p", {}, element("strong", {}, "The moderator asks: "), merge.question),
    merge && merge.result !== null && element("details", {}, element("summary", {}, "The moderator's result"), shown(merge.result, "The moderator's result")),
  );
}

/**
 * @param {Claim} claim
 * @param {string} gone why it does not stand; empty when it does
 * @param {boolean} open whether another claim contradicts it
 */
function drawnClaim(claim, gone, open) {
  const facts = [
    `round ${claim.round}`,
    claim.confidence === null ? "" : `${Math.round(100 * claim.confidence)} % sure`,
    claim.sources.length ? `from ${claim.sources.join(", ")}` : "",
    claim.supersedes ? `instead of ${claim.supersedes}` : "",
    claim.endorsed_by.length ? `agreed to by ${claim.endorsed_by.join(", ")}` : "",
  ].filter(Boolean);
  return element(
    "article",
    { class: `claim ${gone && "gone"} ${open ? "open" : ""}`, "data-claim": claim.id },
    element(
      "header",
      {},
      element("code", {}, claim.id),
      element("strong", {}, claim.author),
      gone && element("span", { class: "badge" }, gone),
      open && element("span", { class: "badge held" }, "contradicted"),
    ),
    element("p", {}, claim.statement),
    claim.value !== null && element("p", {}, "Value ", element("code", {}, JSON.stringify(claim.value))),
    element("p", { class: "hint" }, facts.join(" · ")),
  );
}

/**
 * @param {string} name
 * @param {string} title
 * @param {string[]} lines
 */
function list(name, title, lines) {
  return element("div", { class: name }, element("h3", {}, title), element("ul", {}, ...lines.map((line) => element("li", {}, line))));
}
