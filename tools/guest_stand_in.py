"""Stand-ins in the check's process for functions, classes and objects of the tested code.

An operation that would hand the tested code an expected value together with a result of its own does not
exist here: a stand-in equals no plain value, and takes part in no arithmetic with one.
"""

from collections.abc import Callable, Iterator, Mapping


class StandIn:
    """Something that lives in the other process.

    Args:
        ask: Lets the other side do something: what, to which of its objects, with what.
        ref: Number of the object there.
        name: What it is called there.
    """

    def __init__(self, ask: Callable[..., object], ref: int, name: str) -> None:
        self.__dict__.update(_ask_other=ask, _ref=ref, _name=name)

    def _ask(self, do: str, *args: object, **options: object) -> object:
        mine = self.__dict__
        ask: Callable[..., object] = mine["_ask_other"]
        return ask(do, mine["_ref"], *args, **options)


class _Iterator(StandIn):
    def __iter__(self) -> Iterator[object]:
        return self

    def __next__(self) -> object:
        return self._ask("next")


class _Function(StandIn):
    def __call__(self, *args: object, **options: object) -> object:
        return self._ask("call", *args, **options)

    def __repr__(self) -> str:
        return f"<tested {self.__dict__['_name']}>"


class _Class(_Function):
    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._ask("get", name)

    def __getitem__(self, key: object) -> object:
        return self._ask("item", key)

    def __iter__(self) -> Iterator[object]:
        return _loop(self)

    def __instancecheck__(self, value: object) -> bool:
        return isinstance(value, _Object) and self._ask("isinstance", value) is True

    def __subclasscheck__(self, value: object) -> bool:
        return isinstance(value, _Class) and self._ask("issubclass", value) is True


class _Object(StandIn):
    """An instance of a class that the check names."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._ask("get", name)

    def __setattr__(self, name: str, value: object) -> None:
        self._ask("set", name, value)

    def __call__(self, *args: object, **options: object) -> object:
        return self._ask("call", *args, **options)

    def __getitem__(self, key: object) -> object:
        return self._ask("item", key)

    def __setitem__(self, key: object, value: object) -> None:
        self._ask("put", key, value)

    def __delitem__(self, key: object) -> None:
        self._ask("remove", key)

    def __contains__(self, item: object) -> bool:
        return self._ask("contains", item) is True

    def __len__(self) -> int:
        found = self._ask("len")
        return found if isinstance(found, int) else -1

    def __bool__(self) -> bool:
        return self._ask("bool") is True

    def __iter__(self) -> Iterator[object]:
        return _loop(self)

    def __str__(self) -> str:
        return _written(self._ask("str"))

    def __repr__(self) -> str:
        return _written(self._ask("repr"))

    def __hash__(self) -> int:
        return hash(("tested", self.__dict__["_ref"]))

    def __enter__(self) -> object:
        return self._ask("enter")

    def __exit__(self, *_: object) -> None:
        self._ask("leave")


def _loop(stand_in: StandIn) -> Iterator[object]:
    """Return the iterator of something, which must be one of the other side's."""
    found = stand_in._ask("iter")  # pyright: ignore[reportPrivateUsage]
    if not isinstance(found, _Iterator):
        raise TypeError("expected an iterator of the tested code")
    return found


def _written(found: object) -> str:
    if not isinstance(found, str):
        raise TypeError("expected text")
    return found


def _between(do: str) -> Callable[[_Object, object], object]:
    """Return an operator of two objects of the tested code, and of nothing else."""

    def operate(self: _Object, other: object) -> object:
        return self._ask(do, other) if isinstance(other, _Object) else NotImplemented  # pyright: ignore[reportPrivateUsage]

    return operate


for _name in (
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "add",
    "sub",
    "mul",
    "truediv",
    "mod",
    "pow",
    "matmul",
    "and_",
    "or_",
):
    setattr(_Object, f"__{_name.rstrip('_')}__", _between(_name))

KINDS: Mapping[str, type[StandIn]] = {
    "iterator": _Iterator,
    "function": _Function,
    "class": _Class,
    "object": _Object,
}
