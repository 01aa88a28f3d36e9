"""JSON values: their type, canonical form and digest."""

import hashlib
import json
from typing import TypeAlias

from pydantic import JsonValue

Json: TypeAlias = JsonValue
JsonObject: TypeAlias = dict[str, JsonValue]


def canonical(value: object) -> str:
    """Write `value` so that equal values give equal text: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: The value holds NaN or an infinity, which JSON cannot say.
        TypeError: The value is not made of JSON types.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """Return the first 16 hex digits of the SHA-256 of the canonical form of `value`."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]
