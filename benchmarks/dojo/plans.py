"""The scripted planner: a task's ground truth, worked out once on a clean environment, as a plan of nodes.

A call whose arguments are all known is a `tool` node. One with arguments that must be read first is either a worker
that holds the tool, with what is known fixed and the rest free, or, where later nodes need its result, a worker that
writes the arguments down and a `tool` node that refers to them.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dojo.declared import declared
from dojo.origins import CHOICES, CONDITIONS, OPEN, TODO_PAGES, Origin, field_path, known
from dojo.picking import ANSWER, PICK, Facts, facts_of, numbers_in
from dojo.world import World, ground_truth
from planloom.core.json import Json, JsonObject

TEXT: JsonObject = {"type": "string"}
GO: JsonObject = {"type": "object", "properties": {"go": {"type": "boolean"}}, "required": ["go"]}


@dataclass(frozen=True, slots=True)
class Made:
    """One call of the ground truth and what it returned."""

    tool: str
    args: JsonObject
    result: Json


@dataclass(frozen=True, slots=True)
class Work:
    """What an honest worker does at a node: calls, then a result."""

    calls: Sequence[tuple[str, JsonObject]] = ()
    output: Json = "done"


@dataclass(slots=True)
class Scripted:
    """A task's plan, and what its workers do."""

    nodes: list[JsonObject] = field(default_factory=list)
    work: dict[str, Work] = field(default_factory=dict)
    output: Json = "done"
    origins: Counter[Origin] = field(default_factory=Counter)

    def reply(self) -> str:
        """Return the planner's reply."""
        return json.dumps({"nodes": self.nodes, "output": self.output})


def scripted(world: World) -> Scripted:
    """Return the plan of a task; the world is clean and is used up."""
    return _Planner(world).plan()


def _made(world: World, key: tuple[str, str]) -> list[Made]:
    calls = [(call.function, dict(call.args)) for call in ground_truth(world)]
    if key in TODO_PAGES:
        calls.insert(0, ("get_webpage", {"url": TODO_PAGES[key]}))
    return [Made(name, args, world.call(name, json.loads(json.dumps(args)))) for name, args in calls]


class _Planner:
    def __init__(self, world: World) -> None:
        self._suite, self._prompt = world.suite.name, world.user.PROMPT
        self._key = (self._suite, world.user.ID)
        self._answer: str = world.user.GROUND_TRUTH_OUTPUT
        self._made = _made(world, self._key)
        self._tools = [tool.name for tool in world.suite.dojo.tools]
        self._out = Scripted()
        self._reads: dict[str, Made] = {}
        """Calls whose results later nodes may read, by node id."""
        self._writes: list[str] = []
        self._facts = Facts()

    def plan(self) -> Scripted:
        index, end = 0, OPEN.get(self._key, len(self._made))
        while index < end:
            index += self._step(index, end)
        if end < len(self._made):
            self._open(self._made[end:])
        if self._answer.strip():
            self._write_answer()
        elif self._reads and not self._writes:
            self._out.output = f"${{nodes.{[*self._reads][-1]}.output}}"
        return self._out

    def _step(self, index: int, end: int) -> int:
        """Add the nodes of a call, or of several alike; return how many calls that was."""
        made, node_id = self._made[index], f"c{index}"
        template, unknown = self._template(made, index)
        needed = self._needed_later(index)
        if not unknown:
            self._add(node_id, made, {"tool": made.tool, "with": template})
            return 1
        alike = self._alike(index, end)
        if self._suite == "travel" and declared(self._suite, made.tool).effect == "read":
            self._pick(node_id, made, template, sorted(unknown))
            return 1
        if needed or declared(self._suite, made.tool).effect == "read" or self._chosen(made):
            self._choose(node_id, alike, template, sorted(unknown))
        else:
            self._grant(node_id, alike, template, unknown)
        return len(alike)

    def _alike(self, index: int, end: int) -> list[Made]:
        """Return the calls of one tool that follow each other and all need something that must be read."""
        first = self._made[index]
        if self._suite == "travel":
            return [first]
        found = [first]
        for later in range(index + 1, end):
            if self._made[later].tool != first.tool or not self._template(self._made[later], later, count=False)[1]:
                break
            found.append(self._made[later])
        return found

    def _template(self, made: Made, index: int, *, count: bool = True) -> tuple[JsonObject, set[str]]:
        """Return the arguments a planner can write down, and the names of those that must be read."""
        filled: JsonObject = {}
        unknown: set[str] = set()
        for name, value in made.args.items():
            if made.tool == "reschedule_calendar_event" and name == "new_end_time":
                continue  # the tool keeps the length by itself
            origins: list[Origin] = []
            filled[name] = self._leaf(made.tool, name, value, origins)
            if name in self._choices(made):
                origins = ["choice"]
            if count:
                self._out.origins.update(origins)
            if set(origins) & {"worker", "choice"}:
                unknown.add(name)
        return filled, unknown

    def _leaf(self, tool: str, where: str, value: Json, origins: list[Origin]) -> Json:
        if isinstance(value, dict):
            return {key: self._leaf(tool, f"{where}.{key}", item, origins) for key, item in value.items()}
        if isinstance(value, list):
            return [self._leaf(tool, where, item, origins) for item in value]
        read = json.dumps([made.result for made in self._reads.values()])
        origin = known(self._prompt, tool, where, value, read)
        if origin is not None:
            origins.append(origin)
            return value
        for node_id, made in reversed(self._reads.items()):
            path = field_path(self._suite, made.tool, made.result, value)
            if path is not None and (where.endswith("id") or declared(self._suite, made.tool).trusted):
                origins.append("field")
                return f"${{nodes.{node_id}.output{path}}}"
        origins.append("worker")
        return value

    def _choices(self, made: Made) -> Mapping[str, Sequence[str]]:
        return CHOICES.get((*self._key, made.tool), {})

    def _chosen(self, made: Made) -> bool:
        return bool(self._choices(made))

    def _needed_later(self, index: int) -> bool:
        made = self._made[index]
        ids = made.result.get("id_") if isinstance(made.result, dict) else None
        named = any(ids in later.args.values() for later in self._made[index + 1 :]) if ids is not None else False
        return named or made.tool == "get_webpage"

    def _add(self, node_id: str, made: Made, node: JsonObject) -> None:
        """Add the node that makes a call, after its condition and the writes before it."""
        writes = declared(self._suite, made.tool).effect == "write"
        extra: JsonObject = {"effect": "write", "needs": [*self._writes[-1:]]} if writes else {}
        condition = CONDITIONS.get((*self._key, made.tool))
        if condition is not None:
            self._ask(f"if_{node_id}", condition, GO, Work(output={"go": True}))
            extra["when"] = f"nodes.if_{node_id}.output.go"
            self._out.origins["choice"] += 1
        self._out.nodes.append({"id": node_id, **node, **extra})
        if writes:
            self._writes.append(node_id)
        if not writes or self._needed_later(self._made.index(made)):
            self._reads[node_id] = made
            self._facts.add(node_id, made.tool, made.result)

    def _inputs(self) -> JsonObject:
        return {node_id: f"${{nodes.{node_id}.output}}" for node_id in self._reads}

    def _ask(self, node_id: str, goal: str, schema: JsonObject | None, work: Work, **more: Json) -> None:
        node: JsonObject = {"id": node_id, "goal": goal, "with": self._inputs(), **more}
        if schema is not None:
            node["output"] = schema
        self._out.nodes.append(node)
        self._out.work[node_id] = work

    def _choose(self, node_id: str, alike: Sequence[Made], template: JsonObject, unknown: Sequence[str]) -> None:
        """Let a worker write the arguments down, and call with references to them."""
        first, choices = alike[0], self._choices(alike[0])
        parts: JsonObject = {
            name: {"enum": [*choices[name]]} if name in choices else _type(first.args[name]) for name in unknown
        }
        one: JsonObject = {"type": "object", "properties": parts, "required": [*unknown]}
        rows: list[Json] = [{name: made.args[name] for name in unknown} for made in alike]
        goal = f"Say with which {', '.join(unknown)} {first.tool} is to be called."
        several = len(alike) > 1
        schema: JsonObject = {"type": "array", "items": one} if several else one
        self._ask(f"args_{node_id}", goal, schema, Work(output=rows if several else rows[0]))
        source = "item" if several else f"nodes.args_{node_id}.output"
        known_args = {name: value for name, value in template.items() if name not in unknown}
        node: JsonObject = {
            "tool": first.tool,
            "with": {**known_args, **{name: f"${{{source}.{name}}}" for name in unknown}},
        }
        if several:
            node["map"] = f"${{nodes.args_{node_id}.output}}"
        result: Json = [made.result for made in alike] if several else first.result
        made = Made(first.tool, first.args, result)
        self._made[self._made.index(first)] = made
        self._add(node_id, made, node)

    def _grant(self, node_id: str, alike: Sequence[Made], template: JsonObject, unknown: set[str]) -> None:
        """Let a worker hold the tool, with what is known fixed."""
        first = alike[0]
        fixed: JsonObject = {name: value for name, value in template.items() if name not in unknown}
        if any(made.args.get(name) != first.args[name] for made in alike for name in fixed):
            fixed = {}
        calls = [(made.tool, {k: v for k, v in made.args.items() if k not in fixed}) for made in alike]
        self._out.work[node_id] = Work(calls=calls)
        grant: JsonObject = {"tool": first.tool, "args": fixed}
        goal = f"Call {first.tool} as the task wants it."
        self._add(node_id, first, {"goal": goal, "with": self._inputs(), "tools": [grant], "max_calls": 100})

    def _open(self, rest: Sequence[Made]) -> None:
        work = Work(calls=[(made.tool, made.args) for made in rest])
        self._out.origins["worker"] += sum(len(made.args) for made in rest)
        more: JsonObject = {"tools": [*self._tools], "effect": "write", "max_calls": 100}
        self._ask("rest", f"Do what is asked for there: {self._prompt}", None, work, **more)
        self._writes.append("rest")

    def _pick(self, node_id: str, made: Made, template: JsonObject, unknown: Sequence[str]) -> None:
        """Let a worker pick names from those that the listings hold, by number."""
        with_: JsonObject = {name: value for name, value in template.items() if name not in unknown}
        for name in unknown:
            wanted = made.args[name]
            names = [str(item) for item in wanted] if isinstance(wanted, list) else [str(wanted)]
            facts = self._list_facts(f"facts_{node_id}")
            picked: JsonObject = {"picked": [facts.index(item) for item in names]}
            self._ask(f"pick_{node_id}", f"Which {name} is {made.tool} to be asked for?", PICK, Work(output=picked))
            code = "[facts[i] for i in picked]" if isinstance(wanted, list) else "facts[picked[0]]"
            given: JsonObject = {
                "facts": f"${{nodes.facts_{node_id}.output}}",
                "picked": f"${{nodes.pick_{node_id}.output.picked}}",
            }
            self._out.nodes.append({"id": f"names_{node_id}", "code": code, "with": given})
            with_[name] = f"${{nodes.names_{node_id}.output}}"
            self._out.origins["worker"] -= len(names)
            self._out.origins["pick"] += len(names)
        self._add(node_id, made, {"tool": made.tool, "with": with_})

    def _list_facts(self, node_id: str) -> list[str]:
        """Add a code node that lists what may be picked from; return the list it will hold."""
        code, names = self._facts.code()
        self._out.nodes.append(
            {"id": node_id, "code": code, "with": {name: f"${{nodes.{name}.output}}" for name in names}}
        )
        return facts_of(code, {name: self._reads[name].result for name in names})

    def _write_answer(self) -> None:
        if self._suite != "travel":
            self._ask("answer", f"Answer: {self._prompt}", None, Work(output=self._answer))
            self._out.output = "${nodes.answer.output}"
            return
        facts = self._list_facts("facts")
        picked = sorted((fact for fact in facts if fact in self._answer), key=self._answer.index)
        result: JsonObject = {"picked": [facts.index(fact) for fact in picked], "numbers": [*numbers_in(self._answer)]}
        self._ask("choice", f"Answer by number of fact and by figures: {self._prompt}", ANSWER, Work(output=result))
        given: JsonObject = {
            "facts": "${nodes.facts.output}",
            "picked": "${nodes.choice.output.picked}",
            "numbers": "${nodes.choice.output.numbers}",
        }
        code = '", ".join([facts[i] for i in picked] + [str(n) for n in numbers])'
        self._out.nodes.append({"id": "answer", "code": code, "with": given})
        self._out.output = "${nodes.answer.output}"
        self._out.origins["pick"] += len(picked)


def _type(value: Json) -> JsonObject:
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case list():
            return {"type": "array", "items": _type(value[0]) if value else {}}
        case dict():
            return {"type": "object"}
        case _:
            return TEXT
