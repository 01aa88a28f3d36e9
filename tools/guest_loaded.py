"""The side of the tested code: does what the check asks for and answers with values.

Whoever wrote the tested code owns this process, so nothing it says is believed but as a value.
"""

import builtins
import functools
import json
import operator
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, MethodWrapperType, ModuleType
from typing import cast

from planloom.tools.guest_codec import MARK, Codec

_BINARY = (
    "eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul",
    "and_", "or_", "xor",
)  # fmt: skip


def _call(function: Callable[..., object], *args: object, **options: object) -> object:
    return function(*args, **options)


def _is_instance(kind: type, value: object) -> bool:
    return isinstance(value, kind)


def _is_subclass(kind: type, value: type) -> bool:
    return issubclass(value, kind)


_OPERATIONS: Mapping[str, Callable[..., object]] = {
    "call": _call,
    "get": getattr,
    "set": setattr,
    "item": operator.getitem,
    "put": operator.setitem,
    "remove": operator.delitem,
    "contains": operator.contains,
    "len": len,
    "iter": iter,
    "next": next,
    "bool": bool,
    "str": str,
    "repr": repr,
    "isinstance": _is_instance,
    "issubclass": _is_subclass,
    "enter": operator.methodcaller("__enter__"),
    "leave": operator.methodcaller("__exit__", None, None, None),
    "neg": operator.neg,
    "abs": abs,
    **{name: getattr(operator, name) for name in _BINARY},
}
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, MethodWrapperType, functools.partial)


class LoadedCode:
    """Serves one check.

    Args:
        space: Names of the tested code, after it ran.
        exchange: Sends a message and returns the next one; empty when there will be none.
        line_of: Line of the tested code an exception came from.
    """

    def __init__(
        self,
        space: Mapping[str, object],
        exchange: Callable[[bytes], bytes],
        line_of: Callable[[BaseException], int],
    ) -> None:
        self._space, self._exchange, self._line_of = space, exchange, line_of
        self._objects: list[object] = []
        self._ids: dict[int, int] = {}
        self._codec = Codec(self._refer, self._resolve)

    def serve(self, first: bytes) -> None:
        """Answer until nothing more is asked."""
        asked = self._exchange(first)
        while asked:
            asked = self._exchange(self._answer(json.loads(asked)))

    def _answer(self, asked: dict[str, object]) -> bytes:
        if "names" in asked:
            return json.dumps({"value": self._named(cast("list[str]", asked["names"]))}).encode()
        args, options = self._codec.unpack(asked["args"]), self._codec.unpack(asked["options"])
        answer: dict[str, object]
        try:
            target = self._objects[int(str(asked["ref"]))]
            operation = _OPERATIONS[str(asked["do"])]
            value = operation(target, *cast("list[object]", args), **cast("dict[str, object]", options))
            answer = {"value": self._codec.pack(value)}
        except BaseException as error:  # the edge to untrusted code: whatever it raises is its answer
            answer = self._fault(error)
        try:
            changed = [self._codec.pack(args), self._codec.pack(options)]
            if changed != [asked["args"], asked["options"]]:
                answer["changed"] = changed
            return json.dumps(answer).encode()
        except (TypeError, ValueError, RecursionError) as error:
            return json.dumps(self._fault(error)).encode()

    def _named(self, names: list[str]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name in names:
            value = self._space.get(name)
            if name in self._space and not isinstance(value, ModuleType):
                found[name] = self._codec.pack(value)
        return found

    def _fault(self, error: BaseException) -> dict[str, object]:
        args: list[object] = []
        for arg in error.args:
            try:
                args.append(self._codec.pack(arg))
            except Exception:  # an argument of a foreign exception may be anything
                args.append(repr(arg))
        kinds = [kind.__name__ for kind in type(error).__mro__]
        return {"error": {"kinds": kinds, "args": args, "line": self._line_of(error)}}

    def _refer(self, value: object) -> dict[str, object]:
        kinds, kind = _kinds(value), _kind(value)
        if kind == "exception":
            return {MARK: kind, "kinds": kinds}
        known = self._ids.get(id(value))
        if known is None:
            known = self._ids[id(value)] = len(self._objects)
            self._objects.append(value)
        return {MARK: kind, "v": known, "kinds": kinds}

    def _resolve(self, data: dict[str, object]) -> object:
        number = int(str(data["v"]))
        if data[MARK] == "callback":
            return functools.partial(self._call_back, number)
        return self._objects[number]

    def _call_back(self, number: int, *args: object, **options: object) -> object:
        message = {"callback": number, "args": self._codec.pack([*args]), "options": self._codec.pack(options)}
        said = json.loads(self._exchange(json.dumps(message).encode()))
        while "do" in said or "names" in said:
            said = json.loads(self._exchange(self._answer(said)))
        if "raises" in said:
            kind = getattr(builtins, str(said["raises"]), RuntimeError)
            raise kind(said["message"])
        return self._codec.unpack(said["value"])


def _kinds(value: object) -> list[str]:
    """Names of a class or exception and all it is derived from, or of an object's class and its bases."""
    mro: tuple[type, ...] = value.__mro__ if isinstance(value, type) else type(value).__mro__
    return [kind.__name__ for kind in mro]


def _kind(value: object) -> str:
    if isinstance(value, type):
        return "exception" if issubclass(value, BaseException) else "class"
    if isinstance(value, Iterator):
        return "iterator"
    if isinstance(value, _FUNCTIONS) or hasattr(value, "__wrapped__"):
        return "function"
    return "object"
