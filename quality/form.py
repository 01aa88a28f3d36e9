"""Checks on the form of an answer: stated, complete, settled, of the kind and size the question asks for."""

import re

from planloom.quality.finding import Flaw
from planloom.quality.number import same
from planloom.quality.reading import Reading

_DANGLING = re.compile(r"(?:\d,\d{0,2}|[-+*/=(,:]|<<[^<>]{0,200})\s*$")
_FORMAL_END = re.compile(r"[\w.!?)}\]\"'`$%*°€£|>]\s*$")
_DOUBT = re.compile(
    r"\b(?:however|mistake|impossible|cannot|can't|unable|(?<!let's )(?:assume|assumed|assuming)"
    r"|not (?:enough|possible|specified|given|clear)|unclear|sorry|wait|unknown|approximately|round(?:ed|ing))\b",
    re.IGNORECASE,
)
_ASKS_WORDS = re.compile(
    r"\b(?:which|who|whose|where|why|what (?:is the )?(?:name|colou?r|day|month|word|city|country|kind|type))\b"
    r"|\btrue or false\b|\byes or no\b"
    r"|(?:^|[.!?]\s+)(?:is|are|does|do|did|can|could|will|would|was|were|has|have|should)\b[^.!?]*\?\s*$",
    re.IGNORECASE,
)
_NAMES_NOTHING = re.compile(r"(?:unknown|unclear|undefined|n/?a|not\b|cannot|can't|impossible)", re.IGNORECASE)
_ROUNDS = re.compile(r"round|nearest|approximate|estimate")
_BELOW_ZERO = re.compile(r"temperature|degree|below|negative|debt|\bow(?:e|es|ed)\b|\bloss\b|-\d", re.IGNORECASE)
_COUNT = re.compile(r"\bhow many (?:more |total |fewer |other |different |of (?:the|these|those|his|her|their) )*(\w+)")
_MEASURED = frozenset(
    """
    hour hours minute minutes second seconds day days week weeks month months year years times degrees percent
    pound pounds ounce ounces kilogram kilograms kg gram grams ton tons mile miles kilometer kilometers km meter meters
    foot feet inch inches yard yards liter liters gallon gallons cup cups square cubic dollar dollars cent cents
    """.split()  # noqa: SIM905
)
"""What is measured and need not be whole."""
SHARE = re.compile(r"%|percent|\baverage|\bhalf\b|\bratio|\bprobability|\bmean\b|\brate\b|\d/\d", re.IGNORECASE)


def final_answer(reading: Reading) -> Flaw | None:
    """Require a stated answer: after `####`, in `boxed{}`, as `answer:` or in JSON; a last number is half a flaw."""
    final = reading.final
    if final is None or (final.value is None and reading.given and not _named(final.text, reading.question)):
        return Flaw(2, "a stated answer that can be read", final.text if final else "none")
    if final.how == "last":
        return Flaw(1, "a stated answer", f"only a last number, {final.text}")
    return None


def _named(text: str, question: str) -> bool:
    """Tell whether an answer in words is one to the question: it asks for no number, and something is named."""
    return _ASKS_WORDS.search(question) is not None and not _NAMES_NOTHING.match(text.strip(" .!\"'*`"))


def complete(reading: Reading) -> Flaw | None:
    """Require an end: no open `<<`, bracket or half number."""
    end = reading.body.rstrip()
    if not end:
        return Flaw(2, "text", "none")
    cut = end.count("<<") > end.count(">>") or _DANGLING.search(end) or not _FORMAL_END.search(end)
    last = end.rsplit("\n", 1)[-1]
    opened = last.count("(") > last.count(")") or end.count("{") > end.count("}")
    unclosed = opened or (end.count("```") % 2 and end[-1] not in "}]")
    return Flaw(1, "a text that ends", f"...{end[-40:]}") if cut or unclosed else None


def settled(reading: Reading) -> Flaw | None:
    """Require an answer without doubt: no "however", "assuming", "impossible", "approximately"."""
    asked = reading.question.lower()
    found = [match[0].lower() for match in _DOUBT.finditer(reading.body)]
    results = [each.result for each in reading.computations if each.result is not None]
    exact = bool(results) and all(same(result, round(result)) for result in results)
    rounds = exact or _ROUNDS.search(asked) is not None
    doubts = [word for word in found if word not in asked and not (rounds and _ROUNDS.search(word))]
    return Flaw(1, "no doubt in the text", ", ".join(dict.fromkeys(doubts[:5]))) if doubts else None


def whole(reading: Reading) -> Flaw | None:
    """Require a whole number for a count, and no more decimals than the question's numbers can give."""
    final = reading.final
    if final is None or final.value is None or same(final.value, round(final.value)):
        return None
    asked = _COUNT.search(reading.question.lower())
    if asked and asked[1] not in _MEASURED:
        return Flaw(2, f"a whole number of {asked[1]}", final.text)
    if not same(final.value, round(final.value, 2)):
        return Flaw(2, "at most two decimals", final.text)
    if all(same(each.value, round(each.value)) for each in reading.given) and not SHARE.search(reading.question):
        return Flaw(1, "a whole number, as the question's are", final.text)
    return Flaw(0.5, "a whole number", final.text)


def size(reading: Reading) -> Flaw | None:
    """Require a positive answer that the question's numbers can reach."""
    final = reading.final
    if final is None or final.value is None or not reading.given:
        return None
    if final.value < 0 and not _BELOW_ZERO.search(reading.question):
        return Flaw(2, "no negative number", final.text)
    if final.value == 0:
        return Flaw(2, "more than nothing", final.text)
    reach = 1.0
    for each in reading.given:
        reach *= max(abs(each.value), 2.0)
    if abs(final.value) > 366 * reach:
        return Flaw(2, f"at most {366 * reach:g}, all numbers of the question multiplied", final.text)
    return None
