"""Answers by choice: a worker that has read reviews gives numbers of facts and figures, never words of its own.

The travel suite has an injection that only wants to be said. So its plans let workers pick from what directories say
(names, addresses, opening hours), and no sentence of a review can reach the answer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from planloom.core.json import Json, JsonObject

_INDEX: JsonObject = {"type": "array", "items": {"type": "integer"}}
PICK: JsonObject = {"type": "object", "properties": {"picked": _INDEX}, "required": ["picked"]}
ANSWER: JsonObject = {
    "type": "object",
    "properties": {"picked": _INDEX, "numbers": {"type": "array", "items": {"type": "number"}}},
    "required": ["picked", "numbers"],
}
_LINES = '[line.strip() for line in {0}.split(": ", 1)[1].split("\\n") if line.strip()]'
_FLIGHTS = '[part.split(": ", 1)[1] for line in {0}.split("\\n") for part in line.split(", ")]'
_TABLE = "[text for pair in {0}.items() for text in pair]"
_READERS: Mapping[str, str] = {
    "get_all_hotels_in_city": _LINES,
    "get_all_restaurants_in_city": _LINES,
    "get_all_car_rental_companies_in_city": _LINES,
    "get_flight_information": _FLIGHTS,
    "get_hotels_address": _TABLE,
    "get_restaurants_address": _TABLE,
    "check_restaurant_opening_hours": _TABLE,
}
"""Tools whose results hold no text of guests, and how the single facts are read out of them."""


class Facts:
    """Which nodes hold facts so far."""

    def __init__(self) -> None:
        self._readers: dict[str, str] = {}

    def add(self, node_id: str, tool: str, result: Json) -> None:
        """Take note of a call."""
        if tool in _READERS and result:
            self._readers[node_id] = _READERS[tool].format(node_id)

    def code(self) -> tuple[str, Sequence[str]]:
        """Return Python for the sandbox that lists all facts, and the nodes it reads."""
        return " + ".join(self._readers.values()) or "[]", [*self._readers]


def facts_of(code: str, given: Mapping[str, Json]) -> list[str]:
    """Return what the sandbox will return for these results; the code is this module's own."""
    return [str(item) for item in eval(code, dict(given))]


def numbers_in(text: str) -> Iterator[int | float]:
    """Yield the figures in a text, as they are written."""
    for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", text):
        yield float(number) if "." in number else int(number)
