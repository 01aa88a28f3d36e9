"""Units of the same quantity, so that 12 kg and 12000 g are one number.

Only units whose name is clear in lower case: no `MW` beside `mW`, no `MB` of 1000 or 1024 times.
"""

from collections.abc import Mapping

_SCALES: tuple[Mapping[str, float], ...] = (
    {"mm": 1e-3, "cm": 1e-2, "m": 1, "metre": 1, "meter": 1, "km": 1e3, "inch": 0.0254, "ft": 0.3048, "feet": 0.3048,
     "foot": 0.3048, "yard": 0.9144, "mile": 1609.344},
    {"mg": 1e-3, "g": 1, "gram": 1, "kg": 1e3, "kilo": 1e3, "kilogram": 1e3, "t": 1e6, "tonne": 1e6, "oz": 28.349523125,
     "ounce": 28.349523125, "lb": 453.59237, "lbs": 453.59237, "pound": 453.59237},
    {"ms": 1e-3, "s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600,
     "day": 86400, "week": 604800},
    {"ml": 1e-3, "cl": 1e-2, "l": 1, "litre": 1, "liter": 1},
    {"%": 1, "percent": 1, "per cent": 1},
)  # fmt: skip


def ratio(one: str, other: str) -> float | None:
    """Return how many of `other` one of `one` is; `None` where they do not measure the same."""
    if one == other:
        return 1.0
    return next((scale[one] / scale[other] for scale in _SCALES if one in scale and other in scale), None)
