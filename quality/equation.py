"""Equations in prose: `9 * $2 = $18`, `15 floors x 8 units/floor = 120`, `<<4*12=48>>`, `x = 5 + 3 = 8`."""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from planloom.quality.number import NUMBER, read_number

_MAX_TOKENS = 3000
_MAX_TERMS = 60
_MAX_VALUE = 1e15

_SIGNS = (
    ("\\times", "*"), ("\\cdot", "*"), ("\\div", "/"), ("\\$", "$"), ("\\*", "*"), ("\\%", "%"), ("**", "^"),
    ("\\left", ""), ("\\right", ""), ("≈", "="),
)  # fmt: skip
_SPOKEN = re.compile(
    r"(?P<sign> divided by | multiplied by | times | plus | minus | equals |,? which is | is equal to )"
    r"(?=[-$€£(]*\.?\d)"
)
"""Words between numbers; `three times as many` is no product."""
_SPOKEN_SIGNS = {"divided by": "/", "multiplied by": "*", "times": "*", "plus": "+", "minus": "-"}
_HYPHEN = re.compile(r"(?<=[A-Za-z]{2})-(?=[A-Za-z])|(?<=[A-Za-z])-(?=[A-Za-z]{2})|(?<=\d)-(?=[A-Za-z]{2})")
"""`half-gallon`, `a 30-minute show`: no subtraction."""
_TOKEN = re.compile(
    rf"""(?P<fraction>(?<![\d/.)])\d+/\d+(?![\d/.A-Za-z]))
    | (?P<number>(?:[$€£]\s?)?(?:{NUMBER})(?P<percent>\s?%)?(?P<tail>[A-Za-z]+)?)
    | (?P<by>[xX](?=\s*[-$(\d.])) | (?P<operator>[-+*/^()=×÷·–−])
    | (?P<word>[A-Za-z_][\w'’]*) | (?P<gap>[ \t$€£\[\]{{}}]+) | (?P<stop>.|\n)""",
    re.VERBOSE,
)
_AS_PYTHON = {"×": "*", "÷": "/", "·": "*", "^": "**", "–": "-", "−": "-"}
_BINARY: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: float.__add__,
    ast.Sub: float.__sub__,
    ast.Mult: float.__mul__,
    ast.Div: float.__truediv__,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of an equation."""

    text: str
    value: float | None
    """What it is worth; `None` when it holds words or variables."""
    operands: tuple[float, ...]
    """Its numbers; more than one make it a computation."""
    decimals: int = 0
    """Most decimals that one of its numbers is written with."""
    percent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Equation:
    """Sides that a text says are equal, from left to right."""

    sides: tuple[Side, ...]
    start: int
    end: int

    @property
    def result(self) -> float | None:
        """Worth of the last side."""
        return self.sides[-1].value

    @property
    def text(self) -> str:
        """The equation as it was read, without its units."""
        return " = ".join(side.text or "?" for side in self.sides)


def find_equations(text: str) -> list[Equation]:
    """Return the equations of a text in their order."""
    plain = text
    for written, sign in _SIGNS:
        plain = plain.replace(written, sign.rjust(max(len(written) - 1, 1)).ljust(len(written)))
    plain = _TEX_FRACTION.sub(lambda part: f"({part[1]})/({part[2]})".ljust(len(part[0])), plain)
    plain = _SPOKEN.sub(_as_sign, _HYPHEN.sub(" ", plain))
    plain = _ASIDE.sub(_without_words, plain)
    # A calculator's note `<<9*2=18>>` stands between an equation and its result.
    annotated = [_moved(each, note.start(1)) for note in _NOTE.finditer(plain) for each in _scan(note[1])]
    plain = _NOTE.sub(lambda note: " " * len(note[0]), plain)
    return sorted([*annotated, *_scan(plain)], key=lambda each: (each.end, each.start))


def _as_sign(spoken: re.Match[str]) -> str:
    return _SPOKEN_SIGNS.get(spoken["sign"].strip(" ,"), "=").center(len(spoken[0]))


def _without_words(aside: re.Match[str]) -> str:
    """Return an aside as blanks, unless it is an operand: `(16 ounces) / 4`, `5 * (2 pens + 3 pens)`."""
    if aside[0][0] == "(" and (not _WORD.search(aside[0]) or _WORKED.search(aside[0])):
        return aside[0]
    operand = aside[0][0] == "(" and _AFTER_SIGN.search(aside.string[: aside.start()]) and re.search(r"\d", aside[0])
    return aside[0] if operand else " " * len(aside[0])


_WORD = re.compile(r"[A-Za-z]{2}")
_WORKED = re.compile(r"[\s\d.)](?:[-+*/=×÷<>]|x\s)\s*[$€£(\d.]")
_AFTER_SIGN = re.compile(r"[-+*/=×÷(]\s*$")
_TEX_FRACTION = re.compile(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}")
_ASIDE = re.compile(r"\([^()\n]*\)|(?<==)\s*(?:approximately|about|roughly)\b")
"""`(the tip)`, `= about`: words between a number and its operator."""
_NOTE = re.compile(r"<<([^<>\n]{1,200})>>")


def _moved(equation: Equation, by: int) -> Equation:
    return Equation(sides=equation.sides, start=equation.start + by, end=equation.end + by)


class _Run:
    """An expression that is being read: terms, the side it has come to, and where it may still go on."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self.sides: list[list[str]] = [[]]
        self.unknown = [False]
        self.percent = [False]
        self.wants_operand = True
        self.share = False
        """The side is a share or a multiple of something in words, `1/4 of her pens = 3`: not to be worked out."""

    def add(self, term: str, end: int, *, operand: bool) -> None:
        self.sides[-1].append(term)
        self.wants_operand = not operand
        self.end = end

    def equals(self, end: int) -> None:
        if self.nested and self.sides[-1][0] == "(":
            del self.sides[-1][0]  # `(60 / 15 = 4 boxes)`: the whole equation is in brackets
        self.unknown[-1] |= self.share
        self.share = False
        self.sides.append([])
        self.unknown.append(False)
        self.percent.append(False)
        self.wants_operand = True
        self.end = end

    @property
    def nested(self) -> bool:
        """Whether a bracket of the side is open."""
        return self.sides[-1].count("(") > self.sides[-1].count(")")

    def equation(self) -> Equation | None:
        if len(self.sides) < 2:
            return None
        kept = zip(self.sides, self.unknown, self.percent, strict=True)
        sides = [_side(terms, unknown=unknown, percent=percent) for terms, unknown, percent in kept]
        if not sides[-1].text:
            sides.pop()
        if len(sides) < 2:
            return None
        return Equation(sides=tuple(sides), start=self.start, end=self.end)


def _scan(text: str) -> list[Equation]:
    found: list[Equation] = []
    run: _Run | None = None
    for count, token in enumerate(_TOKEN.finditer(text)):
        if count > _MAX_TOKENS:
            break
        kind = token.lastgroup
        if kind == "gap":
            continue
        following = _step(run, token)
        if following is not run:
            _close(run, found)
        run = following
    _close(run, found)
    return found


def _close(run: _Run | None, found: list[Equation]) -> None:
    equation = run.equation() if run is not None else None
    if equation is not None:
        found.append(equation)


def _step(run: _Run | None, token: re.Match[str]) -> _Run | None:
    """Return the run that the token goes on with: the same, a new one, or none."""
    if token["number"] or token["fraction"]:
        return _number(run, token)
    if token["word"]:
        return _word(run, token)
    sign = "*" if token["by"] else token["operator"]
    if not sign:
        return None
    return _sign(run, sign, token)


def _number(run: _Run | None, token: re.Match[str]) -> _Run:
    if run is None or not run.wants_operand:
        run = _Run(token.start())
    digits = re.sub(r"[^\d.]", "", token["number"] or "")
    term = f"({token['fraction']})" if token["fraction"] else f"({digits}/100)" if token["percent"] else digits
    run.add(term, token.end(), operand=True)
    run.percent[-1] |= bool(token["percent"])
    run.unknown[-1] |= bool(token["tail"]) and token["tail"] not in _GLUED_UNITS
    return run


_GLUED_UNITS = {"cm", "km", "kg", "lb", "lbs", "oz", "ft", "in", "hr", "hrs", "min", "ml", "mph"}


def _word(run: _Run | None, token: re.Match[str]) -> _Run | None:
    if run is None:
        run = _Run(token.start())
    if run.wants_operand:
        run.unknown[-1] = run.unknown[-1] or not _only_unit(run)
        if _only_unit(run):
            run.sides[-1].pop()
        run.wants_operand = False
        return run
    if "/" in "".join(run.sides[-1][-1:]):
        if token["word"].lower() == "of" and _OPERAND.match(token.string, token.end()):
            run.add("*", token.end(), operand=False)
        else:
            run.share = run.share or len(run.sides[-1]) == 1
    elif token["word"].lower() in _SCALED:
        run.share = True
    elif len(token["word"]) == 1 and token["word"] not in "aI":
        run.unknown[-1] = True  # `(1/15) x`: a variable
    return run


_SCALED = ("dozen", "dozens")
"""`10 dozen * 12`, `10 dozen + 2`: only the writer knows whether it is multiplied already."""
_OPERAND = re.compile(r"\s*(?:the\s+)?[$€£(]*\.?\d")


def _only_unit(run: _Run) -> bool:
    """Tell whether the word is the lower half of a unit such as `units/floor`."""
    return run.sides[-1][-1:] == ["/"] and not run.unknown[-1]


def _sign(run: _Run | None, sign: str, token: re.Match[str]) -> _Run | None:
    sign = _AS_PYTHON.get(sign, sign)
    if sign == "(" and run is not None and not run.wants_operand:
        if run.end != token.start():
            return _opened("(", token)
        run.add("*", token.start(), operand=False)  # `2(9 + 40)`
    if sign == "=":
        run = run or _Run(token.start())
        run.equals(token.end())
    elif run is None:
        return _opened(sign, token)
    elif sign == ")" and not run.nested:
        return None
    else:
        run.add(sign, token.end(), operand=sign == ")")
    return run


def _opened(sign: str, token: re.Match[str]) -> _Run | None:
    """Return the run that a sign begins; the dash of a list begins none."""
    if sign not in "(-" or (sign == "-" and token.string[token.end() : token.end() + 1].isspace()):
        return None
    run = _Run(token.start())
    run.add(sign, token.end(), operand=False)
    return run


def _side(terms: list[str], *, unknown: bool, percent: bool) -> Side:
    text = "".join(terms)
    operands = tuple(read_number(digits) for digits in re.findall(r"\d+(?:\.\d+)?|\.\d+", text.replace("/100)", ")")))
    return Side(
        text=text,
        value=None if unknown or not terms else evaluate(text),
        operands=operands,
        decimals=max((len(digits) for digits in re.findall(r"\.(\d+)", text)), default=0),
        percent=percent,
    )


def evaluate(expression: str) -> float | None:
    """Return what an arithmetic expression is worth; `None` when it is none, or too large."""
    if expression.count("(") != expression.count(")") or len(expression) > 40 * _MAX_TERMS:
        return None
    expression = re.sub(r"(?<![\d.])0+(?=\d)", "", expression)
    try:
        tree = ast.parse(expression, mode="eval")
        value = _value(tree.body, _MAX_TERMS)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return None
    return value if abs(value) <= _MAX_VALUE else None


def _value(node: ast.expr, depth: int) -> float:
    if depth <= 0:
        raise ValueError("nested too deeply")
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, depth - 1)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left, depth - 1), _value(right, depth - 1))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            return _BINARY[type(sign)](_value(left, depth - 1), _value(right, depth - 1))
        case _:
            raise ValueError("not arithmetic")


def _power(base: float, exponent: float) -> float:
    if base < 0 or abs(exponent) > 64:
        raise ValueError("too large a power")
    return float(base**exponent)
