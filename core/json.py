"""JSON values: their type, canonical form and digest."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from pydantic import JsonValue

Json: TypeAlias = JsonValue
JsonObject: TypeAlias = dict[str, JsonValue]

MAX_DEPTH = 64


def canonical(value: object) -> str:
    """Write `value` so that equal values give equal text: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: The value holds NaN or an infinity, which JSON cannot say.
        TypeError: The value is not made of JSON types.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """Return the first 16 hex digits of the SHA-256 of the canonical form of `value`."""
    return hashlib.sha256(canonical(value).encode(errors="surrogatepass")).hexdigest()[:16]


def closed(properties: Mapping[str, Json], required: Iterable[str] | None = None) -> JsonObject:
    """Return the JSON Schema of an object with these properties and no others; `None` requires all of them."""
    wanted: list[Json] = [*(properties if required is None else required)]
    return {"type": "object", "properties": {**properties}, "required": wanted, "additionalProperties": False}


def clean(value: Json) -> Json:
    """Return `value` as it can be written: half of a surrogate pair, which UTF-8 cannot say, becomes U+FFFD.

    Raises:
        ValueError: The value holds NaN or an infinity, or is nested too deeply.
    """
    if is_too_deep(value):
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
    try:
        canonical(value).encode()
    except UnicodeEncodeError:
        return _mended(value)
    return value


def is_too_deep(value: Json) -> bool:
    """Tell whether a value is nested more than `MAX_DEPTH` deep: more than readers of JSON agree on."""
    layer: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        inside: list[Json] = []
        for item in layer:
            if isinstance(item, dict):
                inside += item.values()
            elif isinstance(item, list):
                inside += item
        if not inside:
            return False
        layer = inside
    return True


def _mended(value: Json) -> Json:
    if isinstance(value, str):
        return value.encode("utf-16", errors="surrogatepass").decode("utf-16", errors="replace")
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {str(_mended(key)): _mended(item) for key, item in value.items()}
    return value
