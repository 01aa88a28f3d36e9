"""Values on the way between a check and the code it tests: plain data as it is, anything else as a reference.

Both ends run in a child of their own. What is read here becomes values of Python's own types, so comparing
them calls no code of the other side.
"""

import datetime
import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import cast

MARK = "!"
"""Key of an object that stands for something JSON cannot say."""
Packed = object

_TEXTS: Mapping[str, Callable[[str], object]] = {
    "bytes": bytes.fromhex,
    "float": float,
    "complex": complex,
    "decimal": Decimal,
    "fraction": Fraction,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
}
_LISTS: Mapping[str, Callable[[Iterable[object]], object]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "iter": iter,
}


class Codec:
    """Packs values into what `json` can write, and unpacks them.

    Args:
        refer: Packs what is no plain value; raises `TypeError` for what may not cross.
        resolve: Unpacks what `refer` of the other side packed.
    """

    def __init__(
        self, refer: Callable[[object], dict[str, object]], resolve: Callable[[dict[str, object]], object]
    ) -> None:
        self._refer = refer
        self._resolve = resolve

    def pack(self, value: object) -> Packed:
        """Return `value` as JSON can say it; an instance of a subclass becomes the plain type."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else _text("float", repr(float(value)))
        if isinstance(value, str):
            return str.__str__(value)
        return self._pack_text(value) or self._pack_container(value)

    def _pack_text(self, value: object) -> Packed:
        match value:
            case bytes() | bytearray():
                return _text("bytes", value.hex())
            case complex():
                return _text("complex", repr(value))
            case Decimal():
                return _text("decimal", str(value))
            case Fraction():
                return _text("fraction", str(value))
            case datetime.datetime():
                return _text("datetime", value.isoformat())
            case datetime.date():
                return _text("date", value.isoformat())
            case _:
                return None

    def _pack_container(self, value: object) -> Packed:
        if isinstance(value, list):
            return [self.pack(item) for item in cast("list[object]", value)]
        if isinstance(value, tuple):
            return {MARK: "tuple", "v": [self.pack(item) for item in cast("tuple[object, ...]", value)]}
        if isinstance(value, set | frozenset):
            kind = "set" if isinstance(value, set) else "frozenset"
            return {MARK: kind, "v": sorted((self.pack(i) for i in cast("set[object]", value)), key=repr)}
        if isinstance(value, dict):
            return self._pack_dict(cast("dict[object, object]", value))
        to_list = getattr(value, "tolist", None)
        if callable(to_list) and type(value).__module__.partition(".")[0] == "numpy":
            return self.pack(to_list())
        return self._refer(value)

    def _pack_dict(self, value: dict[object, object]) -> Packed:
        if all(isinstance(key, str) for key in value) and MARK not in value:
            return {str(key): self.pack(item) for key, item in value.items()}
        return {MARK: "dict", "v": [[self.pack(key), self.pack(item)] for key, item in value.items()]}

    def unpack(self, packed: Packed) -> object:
        """Return the value. `packed` may come from a hostile side.

        Raises:
            ValueError: It is not what `pack` makes, or holds what may not cross.
        """
        if isinstance(packed, list):
            return [self.unpack(item) for item in cast("list[object]", packed)]
        if not isinstance(packed, dict):
            return packed
        data = cast("dict[str, object]", packed)
        kind, inside = data.get(MARK), data.get("v")
        if kind is None:
            return {key: self.unpack(item) for key, item in data.items()}
        if kind in _TEXTS and isinstance(inside, str):
            return _TEXTS[str(kind)](inside)
        if kind in _LISTS and isinstance(inside, list):
            return _LISTS[str(kind)]([self.unpack(item) for item in cast("list[object]", inside)])
        if kind == "dict" and isinstance(inside, list):
            pairs = cast("list[list[object]]", inside)
            return {self.unpack(key): self.unpack(item) for key, item in pairs}
        return self._resolve(data)


def _text(kind: str, text: str) -> Packed:
    return {MARK: kind, "v": text}
