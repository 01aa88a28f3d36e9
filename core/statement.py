"""What a sentence says, as far as code can tell: its words without figures, whether it denies them, its figures.

English, and shallow on purpose: two sentences are held against each other only where their words are the same.
"""

import math
import re
from dataclasses import dataclass
from datetime import date

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"\d{1,2}(?:st|[nr]d|th)?"
_WRITTEN_DATE = rf"\b(?:{_DAY}(?:\s+of)?\s+{_MONTH}|{_MONTH}\.?\s+{_DAY}),?\.?\s+\d{{4}}\b"
_MAGNITUDES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12}
_TOKEN = re.compile(
    rf"(?P<date>\d{{4}}-\d{{2}}-\d{{2}}|{_WRITTEN_DATE})(?:T[\d:.]+)?"
    r"|(?P<number>(?<![\w.])[+-]?\d+(?:[,_]\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?)(?P<unit>\s?%|[^\W\d_]+)?"
    r"|(?P<word>\w+(?:['’]\w+)?)"
)
_WRAPPED = re.compile(r"\b(it is|it's) (?P<not>not )?(true|the case|false|untrue|wrong) that\b")
_DENIED = frozenset(("not", "no", "never", "cannot", "neither", "nor", "without"))
_IDLE = frozenset(
    ("a", "an", "the", "do", "does", "did", "any", "is", "are", "was", "were", "be", "been", "has", "have")
)
"""Words that carry nothing, or turn up only in one of a statement and its denial."""
_LEANING = frozenset(("it", "this", "that", "these", "those", "they", "he", "she", "its", "their", "them", "there"))


_ARTICLES = frozenset(("a", "an", "the", "of", "s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with the word behind it, which may be its unit."""

    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement as it is compared."""

    words: tuple[str, ...]
    """Its words in their plainest form; a figure is `#`, a date `@`."""
    denied: bool
    """Whether it says that these words do not hold."""
    figures: tuple[Figure, ...]
    dates: tuple[date, ...]

    @property
    def stands_alone(self) -> bool:
        """Whether it can be understood without its subject."""
        return len(self.words) > 2 and not _LEANING & set(self.words)


def read_statement(text: str) -> Statement:
    """Read one statement."""
    text, denied = _unwrapped(text.casefold())
    words: list[str] = []
    figures: list[Figure] = []
    dates: list[date] = []
    for token in _TOKEN.finditer(text):
        if (day := read_date(token["date"] or "")) is not None:
            dates.append(day)
            words.append("@")
        elif token["number"]:
            unit = (token["unit"] or _next_word(text, token.end())).strip()
            times = _MAGNITUDES.get(unit)
            behind = _next_word(text, text.index(unit, token.start()) + len(unit)) if times else unit
            figures.append(Figure(value=read_number(token["number"]) * (times or 1), unit=_stem(behind)))
            words += ["#", _stem(token["unit"].strip())] if token["unit"] else ["#"]
        else:
            word = token["word"] or token["date"] or ""
            denied ^= _take(word, words) if not (words and words[-1] == "#" and word in _MAGNITUDES) else False
    return Statement(words=tuple(words), denied=denied, figures=tuple(figures), dates=tuple(dates))


def _unwrapped(text: str) -> tuple[str, bool]:
    """Take `it is not true that` and the like out of a text; tell whether they deny it."""
    denied = False
    for found in _WRAPPED.finditer(text):
        denied ^= (found[3] in ("false", "untrue", "wrong")) is not bool(found["not"])
    return _WRAPPED.sub(" ", text), denied


def _take(word: str, words: list[str]) -> bool:
    """Add a word in its plainest form; tell whether it turns what is said around."""
    base, _, short = word.replace("’", "'").partition("'")
    if short == "t":
        base = base.removesuffix("n") if base not in ("can", "won") else {"won": "will"}.get(base, base)
        if base not in _IDLE:
            words.append(_stem(base))
        return True
    if base in _DENIED:
        if base == "cannot":
            words.append("can")
        return True
    if base in _IDLE:
        return False
    opposite = len(base) > 5 and base.startswith("un")
    words.append(_stem(base.removeprefix("un") if opposite else base))
    return opposite


def _stem(word: str) -> str:
    """Cut a plural or a third person's ending: `exports` and `export` are the same here."""
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _next_word(text: str, at: int) -> str:
    after = re.compile(r"\s+([^\W\d_]+)").match(text, at)
    return after[1] if after else ""


def read_subject(text: str) -> tuple[str, ...]:
    """Return the words of a subject or a term that count when two are compared."""
    return tuple(word for word in re.findall(r"[^\W_]+", text.casefold()) if word not in _ARTICLES)


def read_number(text: str) -> float:
    """Return the number that a text of digits says."""
    return float(text.replace(",", "").replace("_", ""))


def read_date(text: str) -> date | None:
    """Return the day of an ISO date or time, or of one such as `1 May 2024` or `May 1, 2024`; `None` for other text."""
    try:
        if re.match(r"\d{4}-\d{2}-\d{2}(?:$|[T ])", text):
            return date.fromisoformat(text[:10])
        if re.fullmatch(_WRITTEN_DATE, text, re.IGNORECASE):
            month = next(name for name in re.findall(r"[a-z]{3}", text.casefold()) if name in _MONTHS)
            day, year = re.findall(r"\d+", text)
            return date(int(year), _MONTHS.index(month) + 1, int(day))
    except ValueError:
        return None
    return None


def read_figure(text: str) -> Figure | None:
    """Return the quantity that a whole text is, such as `12 kg`; `None` for any other text."""
    found = re.fullmatch(r"\s*([+-]?\d+(?:[,_]\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([^\d\s][^\d]{0,15})?\s*", text)
    if found is None:
        return None
    value, unit = read_number(found[1]), (found[2] or "").strip().casefold()
    first, _, rest = unit.partition(" ")
    if first in _MAGNITUDES:
        value, unit = value * _MAGNITUDES[first], rest.strip()
    return Figure(value=value, unit=_stem(unit)) if math.isfinite(value) else None
