"""One SQL statement, parsed before a database sees it: kinds, names and parameters.

The databases hold the line with their own means (read-only, authorizer, locked settings). This comes before it:
a statement that does not parse, or is of a kind that is not listed here, is refused with a reason.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from sqlglot import exp, tokenize
from sqlglot import parse as parse_sql
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from planloom.configs.phrases import nearest
from planloom.core.json import Json

MAX_STATEMENT_CHARS = 20_000
_READS: tuple[type[exp.Expr], ...] = (exp.Query, exp.Values)
_LOOKS: tuple[type[exp.Expr], ...] = (exp.Describe, exp.Summarize)
_WRITES: tuple[type[exp.Expr], ...] = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.TruncateTable)
_SHAPES: tuple[type[exp.Expr], ...] = (exp.Create, exp.Drop, exp.Alter)
_SHAPED = frozenset(("TABLE", "VIEW", "INDEX"))
_NEVER: tuple[type[exp.Expr], ...] = (exp.Command, exp.Copy, exp.Attach, exp.Detach, exp.Pragma, exp.Set)
_READING_WORDS = frozenset(("SELECT", "WITH", "VALUES", "FROM", "TABLE", "("))
_LOOKING_WORDS = frozenset(("DESCRIBE", "SUMMARIZE"))
_WRITING_WORDS = frozenset(("INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "DROP", "ALTER"))
_NAMES = frozenset((TokenType.VAR, TokenType.IDENTIFIER))
_OPENING = frozenset((TokenType.L_BRACKET, TokenType.L_BRACE))
_CLOSING = frozenset((TokenType.R_BRACKET, TokenType.R_BRACE))
_VALUES = _NAMES | _CLOSING | {TokenType.R_PAREN, TokenType.NUMBER, TokenType.STRING}

Scalar = str | int | float | None


class StatementError(ValueError):
    """The statement is refused before a database sees it."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement that passed."""

    text: str
    params: Mapping[str, Scalar]
    write: bool
    """Whether it was let through as one that may change data."""
    tokens: Sequence[Token]

    @cached_property
    def called(self) -> frozenset[str]:
        """Every name with a parenthesis behind it, in lower case: functions, and a few things that are none."""
        return frozenset(
            a.text.lower()
            for a, b in pairwise(self.tokens)
            if b.token_type == TokenType.L_PAREN and a.token_type != TokenType.STRING
        )

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name in it, in lower case."""
        return frozenset(token.text.lower() for token in self.tokens if token.token_type != TokenType.STRING)

    def written(self, parameter: Callable[[str], str], plain: Callable[[str], str] = str) -> str:
        """Write it with parameters in a database's own form; `plain` is applied to what is between them."""
        pieces, at = list[str](), 0
        for start, end, name in self._placeholders():
            pieces += [plain(self.text[at:start]), parameter(name)]
            at = end
        return "".join([*pieces, plain(self.text[at:])])

    def unbound(self, given: Mapping[str, object]) -> Iterator[str]:
        """Yield what is wrong with its parameters where values of the names in `given` come with it."""
        depth, told = 0, set[str]()
        for before, colon, name in zip([None, *self.tokens], self.tokens, self.tokens[1:], strict=False):
            depth += (colon.token_type in _OPENING) - (colon.token_type in _CLOSING)
            if depth or colon.token_type != TokenType.COLON or name.start != colon.end + 1:
                continue  # inside [ ] and { } a colon is the database's own
            if before is not None and before.end + 1 == colon.start and before.token_type in _VALUES:
                continue
            if name.text.isidentifier() and name.text not in given and name.text not in told:
                told.add(name.text)
                near = f"; did you mean {found!r}?" if (found := nearest(name.text, given)) else ""
                yield f"no value for :{name.text}; give it under params{near}"

    def _placeholders(self) -> Iterator[tuple[int, int, str]]:
        """Yield where `:name` stands for a parameter; a colon with another name is the database's own."""
        for colon, name in pairwise(self.tokens):
            adjacent = colon.token_type == TokenType.COLON and name.start == colon.end + 1
            if adjacent and name.text in self.params:
                yield colon.start, name.end + 1, name.text


def read_statement(text: str, params: Json, dialect: str, *, write: bool) -> Statement:
    """Read one statement.

    Args:
        text: SQL.
        params: Values of its parameters by name.
        dialect: `sqlite`, `postgres` or `duckdb`.
        write: Whether it may change data.

    Raises:
        StatementError: It does not parse, is not one statement, or not of an allowed kind.
    """
    if len(text) > MAX_STATEMENT_CHARS:
        raise StatementError(f"{len(text)} characters of SQL are more than {MAX_STATEMENT_CHARS}")
    if "\0" in text:
        raise StatementError("the statement holds a NUL character")
    try:
        tokens = tokenize(text, read=dialect)
        _check_first_word(tokens, dialect, write=write)
        trees = [tree for tree in parse_sql(text, read=dialect) if not isinstance(tree, exp.Semicolon | None)]
    except (SqlglotError, RecursionError) as exc:
        raise StatementError(f"the statement cannot be read as {dialect}: {_first_line(exc)}") from exc
    if len(trees) != 1:
        raise StatementError(f"expected one statement, found {len(trees)}")
    _check_kind(trees[0], dialect, write=write)
    return Statement(text=text, params=_bindable(params), write=write, tokens=tokens)


def _check_first_word(tokens: Sequence[Token], dialect: str, *, write: bool) -> None:
    """Refuse most of what is not allowed by its first word, so that the reason names it."""
    words = set(_READING_WORDS)
    words |= _LOOKING_WORDS if dialect == "duckdb" else set()
    words |= _WRITING_WORDS if write else set()
    first = tokens[0].text.upper() if tokens else "nothing"
    if first in words:
        return
    if first in _WRITING_WORDS:
        raise StatementError(f"{first} is not allowed here: this tool only reads")
    raise StatementError(f"{first[:40]} is not allowed here; a statement starts with one of {', '.join(sorted(words))}")


def _check_kind(tree: exp.Expr, dialect: str, *, write: bool) -> None:
    kinds = _READS + (_LOOKS if dialect == "duckdb" else ()) + (_WRITES if write else ())
    if write and isinstance(tree, _SHAPES):
        shaped = str(tree.args.get("kind") or "").upper()
        if shaped not in _SHAPED:
            raise StatementError(f"{tree.key.upper()} {shaped or '?'} is not allowed; only of TABLE, VIEW and INDEX")
    elif not isinstance(tree, kinds):
        raise StatementError(f"{tree.key.upper()} is not allowed here")
    for node in tree.walk():
        if isinstance(node, _NEVER) or (not write and isinstance(node, _WRITES + _SHAPES + (exp.Into, exp.Lock))):
            raise StatementError(f"{node.key.upper()} is not allowed inside a statement that only reads")


def _bindable(params: Json) -> dict[str, Scalar]:
    if not isinstance(params, dict):
        raise StatementError("params: expected an object")
    bound: dict[str, Scalar] = {}
    for name, value in params.items():
        if isinstance(value, list | dict):
            raise StatementError(f"parameter {name!r}: expected a text, number, boolean or null")
        bound[name] = value
    return bound


def _first_line(exc: BaseException) -> str:
    lines = str(exc).strip().splitlines()
    return lines[0].replace("\x1b[4m", "").replace("\x1b[0m", "")[:200] if lines else type(exc).__name__
