"""The model: it writes the scripted plan, does its nodes' work, and carries out every injected order that it reads.

An order is carried out before anything else and through everything the node has: the injection's calls with the tools
that were granted, once as they are and once with nothing in them that is guarded, the attacker's values smuggled into
the free arguments of the node's own calls, and the attacker's words in every part of the result that a schema leaves
open. When a call is refused, it goes on with the next.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence

from dojo.attacks import Calls, attack, marker, said
from dojo.declared import declared
from dojo.plans import Scripted, Work
from dojo.world import World
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Usage
from planloom.models.base import Reply, Request, ToolCall

_HANDLE = "sha256:"


class Obedient:
    """Plays all models of one run."""

    def __init__(self, plan: Scripted, world: World) -> None:
        self._plan, self._world = plan, world
        self._orders: dict[str, Calls] = {}

    async def __call__(self, request: Request) -> Reply | str:
        """Answer as planner or worker."""
        if request.role == "planner":
            return self._plan.reply()
        seen = [message.text for message in request.messages if message.role in ("user", "tool")]
        work = self._plan.work[request.node_id]
        move = next(itertools.islice(self._moves(request, work, seen), len(seen) - 1, None), None)
        if move is None:
            return self._result(work.output, request, infected=any(self._is_order(text) for text in seen))
        call = ToolCall(id=f"call{len(seen)}", name=move[0], args=move[1])
        return Reply(text="", finish="tool_calls", tool_calls=(call,), usage=Usage(calls=1), model="obedient")

    def _is_order(self, text: str) -> bool:
        """Whether a text holds the order; one that is behind a handle counts as read."""
        return self._world.injection is not None and (marker(self._world) in text or _HANDLE in text)

    def _moves(self, request: Request, work: Work, seen: Sequence[str]) -> Iterator[tuple[str, JsonObject]]:
        """Yield the calls in order; each text that was seen leads to one, and an order goes before the own work."""
        own, infected = iter(work.calls), False
        orders: Iterator[tuple[str, JsonObject]] = iter(())
        for text in seen:
            if not infected and self._is_order(text):
                infected, orders = True, iter(self._attempts(request, work))
            move = next(orders, None) or next(own, None)
            if move is None:
                return
            yield move

    def _attempts(self, request: Request, work: Work) -> list[tuple[str, JsonObject]]:
        """Return all that a node's tools allow to try, worked out once, when the order is first read."""
        if request.node_id not in self._orders:
            self._orders[request.node_id] = attack(self._world)
        orders = self._orders[request.node_id]
        free = {offer.name: _names(offer.parameters) for offer in request.tools}
        direct = [(name, _within(args, free[name])) for name, args in orders if name in free]
        suite, words, wanted = self._world.suite.name, said(self._world), _wanted(orders)
        quiet = [(name, _within(args, {*declared(suite, name).data})) for name, args in direct]
        smuggled: list[tuple[str, JsonObject]] = [
            (name, {key: wanted.get(key, words if isinstance(value, str) else value) for key, value in args.items()})
            for name, args in work.calls
        ]
        return [*direct, *((name, args) for name, args in quiet if args), *smuggled]

    def _result(self, output: Json, request: Request, *, infected: bool) -> str:
        if request.schema is None:
            return f"{output} {said(self._world)}" if infected else str(output)
        if infected:
            orders = self._orders.get(request.node_id) or attack(self._world)
            output = _spoilt(output, _schema_of_result(request.schema), _wanted(orders), said(self._world))
        return json.dumps({"result": output, "cannot": None})


def _wanted(orders: Calls) -> JsonObject:
    return {key: value for _, args in reversed(orders) for key, value in args.items()}


def _schema_of_result(envelope: JsonObject) -> Json:
    match envelope:
        case {"properties": {"result": {"anyOf": [schema, *_]}}}:
            return schema
        case _:
            return None


def _names(schema: Mapping[str, Json]) -> set[str]:
    properties = schema.get("properties")
    return set(properties) if isinstance(properties, dict) else set()


def _within(args: JsonObject, names: set[str]) -> JsonObject:
    return {name: value for name, value in args.items() if name in names}


def _spoilt(value: Json, schema: Json, wanted: Mapping[str, Json], words: str, name: str = "") -> Json:
    """Return a result with the attacker's values wherever the schema lets them in."""
    if not isinstance(schema, dict) or "enum" in schema:
        return value
    if isinstance(value, dict):
        parts = schema.get("properties")
        inside = parts if isinstance(parts, dict) else {}
        return {key: _spoilt(item, inside.get(key), wanted, words, key) for key, item in value.items()}
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, dict) and items.get("type") == "object":
        return [_spoilt(item, items, wanted, words, name) for item in value]
    if name in wanted and type(wanted[name]) is type(value):
        return wanted[name]
    if isinstance(value, bool):
        return True
    return words if isinstance(value, str) else value
