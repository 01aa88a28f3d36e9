"""The side of the check: asks the tested code, which runs in another process, and believes it values only."""

import ast
import builtins
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import FunctionType, MethodType
from typing import cast

from planloom.tools.guest_codec import MARK, Codec
from planloom.tools.guest_stand_in import KINDS, StandIn

_MAX_ITEMS = 100_000
_ESCAPES = (StopIteration, StopAsyncIteration, GeneratorExit)
"""Raised by a call, they would end a loop of the check as if it had been gone through."""


class Broken(BaseException):
    """The other side does not keep to the channel; no `except Exception` of a check may hide it."""


class Check:
    """One check's view of the tested code.

    Args:
        exchange: Sends a message and returns the next one.
    """

    def __init__(self, exchange: Callable[[bytes], bytes]) -> None:
        self._exchange = exchange
        self._codec = Codec(self._refer, self._resolve)
        self._stand_ins: dict[int, StandIn] = {}
        self._classes: set[str] = set()
        self._exceptions: dict[str, type[Exception]] = {}
        self._callbacks: list[Callable[..., object]] = []

    def names(self, code: str, variables: Mapping[str, object]) -> dict[str, object]:
        """Return what the check's own names of the tested code stand for.

        Built-in names and the check's variables keep their meaning. A variable holds data, so a name that the
        check does nothing with but call is the tested code's.
        """
        tree = ast.parse(code)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        free = {name for name in used if not hasattr(builtins, name) and not name.startswith("__")}
        wanted = free - (variables.keys() - _only_called(tree)) - {"loaded"}
        found = self._fetch(sorted(wanted))
        if "loaded" in used and "loaded" not in variables:
            found["loaded"] = _Loaded(self._fetch)
        return found

    def _fetch(self, names: list[str]) -> dict[str, object]:
        answer = self._heard(self._exchange(json.dumps({"names": names}).encode()))
        packed = answer.get("value")
        if not isinstance(packed, dict):
            raise Broken("the tested code gave no names")
        named = {name: item for name, item in cast("dict[str, object]", packed).items() if name in names}
        for name, item in named.items():
            if isinstance(item, dict) and cast("dict[str, object]", item).get(MARK) == "class":
                self._classes.add(name)
        return {name: self._codec.unpack(item) for name, item in named.items()}

    def ask(self, do: str, ref: int, *args: object, **options: object) -> object:
        """Let the other side do something, and return the value or raise what it raised."""
        message: object = {
            "do": do,
            "ref": ref,
            "args": self._codec.pack([*args]),
            "options": self._codec.pack(options),
        }
        answer = self._heard(self._exchange(json.dumps(message).encode()))
        while "callback" in answer:
            answer = self._heard(self._exchange(json.dumps(self._called_back(answer)).encode()))
        if "changed" in answer:
            _restore([[*args], options], self._read(answer["changed"]))
        if "error" in answer:
            raise self._error(cast("dict[str, object]", answer["error"]), stops=do == "next")
        return self._read(answer.get("value"))

    def _heard(self, line: bytes) -> dict[str, object]:
        try:
            answer: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Broken("the tested code answered what cannot be read") from error
        if not isinstance(answer, dict):
            raise Broken("the tested code answered what cannot be read")
        return cast("dict[str, object]", answer)

    def _read(self, packed: object) -> object:
        try:
            return self._codec.unpack(packed)
        except (ValueError, RecursionError, KeyError, ArithmeticError) as error:
            raise Broken(f"the tested code answered what cannot be read: {error}") from error

    def _called_back(self, answer: dict[str, object]) -> dict[str, object]:
        try:
            function = self._callbacks[int(str(answer["callback"]))]
            args, options = self._read(answer["args"]), self._read(answer["options"])
            value = function(*cast("list[object]", args), **cast("dict[str, object]", options))
            return {"value": self._codec.pack(value)}
        except Exception as error:  # what the check's own function raises is for its caller
            return {"raises": type(error).__name__, "message": str(error)}

    def _error(self, fault: dict[str, object], *, stops: bool) -> Exception:
        kinds = [str(kind) for kind in cast("list[object]", fault.get("kinds") or ["RuntimeError"])]
        args = self._read(fault.get("args") or [])
        if stops and kinds[0] == "StopIteration":
            return StopIteration()
        kind = self._exception(kinds)
        message = kinds[0] + ": " + " ".join(str(arg) for arg in cast("list[object]", args))
        try:
            error = RuntimeError(message) if kind is None else kind(*cast("list[object]", args))
        except (TypeError, ValueError):
            error = RuntimeError(message)
        line = fault.get("line")
        error.__dict__["loaded_line"] = line if isinstance(line, int) else 0
        return error

    def _exception(self, kinds: list[str]) -> type[Exception] | None:
        """Return the nearest exception type that both sides know; `None` for one that is no fault."""
        for name in kinds:
            kind = self._exceptions.get(name) or getattr(builtins, name, None)
            if isinstance(kind, type) and issubclass(kind, BaseException):
                return kind if issubclass(kind, Exception) and not issubclass(kind, _ESCAPES) else None
        return None

    def _refer(self, value: object) -> dict[str, object]:
        found = type(value).__name__
        if isinstance(value, StandIn):
            return {MARK: "ref", "v": object.__getattribute__(value, "_ref")}
        if isinstance(value, FunctionType | MethodType):
            self._callbacks.append(value)
            return {MARK: "callback", "v": len(self._callbacks) - 1}
        if isinstance(value, Iterator | range):
            kind = "tuple" if isinstance(value, range) else "iter"
            items = list(itertools.islice(cast("Iterable[object]", value), _MAX_ITEMS + 1))
            if len(items) <= _MAX_ITEMS:
                return {MARK: kind, "v": self._codec.pack(items)}
        raise TypeError(f"plain values and functions can be handed to the tested code, not a {found}")

    def _resolve(self, data: dict[str, object]) -> object:
        kind, kinds = data.get(MARK), [str(item) for item in cast("list[object]", data.get("kinds") or ["?"])]
        if kind == "exception":
            return self._declare(kinds)
        made = KINDS.get(str(kind))
        number = data.get("v")
        if made is None or not isinstance(number, int):
            raise ValueError(f"unknown kind {kind!r}")
        if kind == "object" and self._classes.isdisjoint(kinds):
            raise TypeError(f"expected a plain value, found a {kinds[0]}; a check that names its class may use it")
        if number not in self._stand_ins or type(self._stand_ins[number]) is not made:
            self._stand_ins[number] = made(self.ask, number, kinds[0])
        return self._stand_ins[number]

    def _declare(self, kinds: list[str]) -> object:
        """Return a local type for an exception type of the tested code."""
        name = kinds[0]
        known = getattr(builtins, name, None)
        if isinstance(known, type) and issubclass(known, Exception):
            return known
        if name not in self._exceptions:
            base = self._exception(kinds[1:]) or Exception
            self._exceptions[name] = cast("type[Exception]", type(name, (base,), {}))
        return self._exceptions[name]


def _only_called(tree: ast.AST) -> set[str]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return {node.id for node in names} - {node.id for node in names if id(node) not in called}


def _restore(mine: object, theirs: object) -> None:
    """Make lists, objects and sets of the check hold what the tested code left in its copies of them."""
    if isinstance(mine, list) and isinstance(theirs, list):
        old, new = cast("list[object]", mine), cast("list[object]", theirs)
        old[:] = [_merged(old[at], item) if at < len(old) else item for at, item in enumerate(new)]
    elif isinstance(mine, dict) and isinstance(theirs, dict):
        before, after = cast("dict[object, object]", mine), cast("dict[object, object]", theirs)
        merged = {key: _merged(before[key], item) if key in before else item for key, item in after.items()}
        before.clear()
        before.update(merged)
    elif isinstance(mine, set) and isinstance(theirs, set):
        cast("set[object]", mine).clear()
        cast("set[object]", mine).update(cast("set[object]", theirs))
    elif isinstance(mine, tuple) and isinstance(theirs, tuple):
        for one, other in zip(cast("tuple[object, ...]", mine), cast("tuple[object, ...]", theirs), strict=False):
            _restore(one, other)


def _merged(mine: object, theirs: object) -> object:
    """Return what stands in a container of the check afterwards: its own object where it can stay."""
    kind = type(mine)
    if kind is type(theirs) and kind in (list, dict, set, tuple):
        _restore(mine, theirs)
    keeps = kind is type(theirs) and kind in (list, dict, set)
    return mine if keeps or kind in (FunctionType, MethodType) or isinstance(mine, StandIn) else theirs


class _Loaded:
    """All names of the tested code, those too that Python has built in."""

    def __init__(self, fetch: Callable[[list[str]], dict[str, object]]) -> None:
        self._fetch = fetch

    def __getattr__(self, name: str) -> object:
        found = self._fetch([name])
        if name not in found:
            raise AttributeError(f"the tested code has no {name!r}")
        return found[name]
