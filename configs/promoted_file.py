"""The text of a promoted workflow: YAML in the order people read it, with comments that say what each part rests on."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from planloom.configs.load import Workflow
from planloom.configs.nodes import node_json
from planloom.configs.phrases import quoted
from planloom.configs.promotion import PinSpec, PromotedSpec, purpose_of
from planloom.configs.write import as_yaml
from planloom.core.json import Json, JsonObject
from planloom.core.parametric import Left, Turned
from planloom.core.plan import Node, NodeId
from planloom.core.refs import as_text
from planloom.core.view import RunView

_BEFORE = ("models", "ladder", "tools")
_BEHIND = ("route", "budget", "ask", "flows", "max_parallel")
_OF_PLANNING = ("reuse", "reuse_exact")
_KINDS: Mapping[type, str] = {str: "string", int: "integer", float: "number", list: "array"}


def shown(value: Json) -> str:
    """Write a literal on one short line."""
    return (
        quoted(value if isinstance(value, str) else as_text(value))
        if not isinstance(value, int | float)
        else str(value)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotedFile:
    """All that the file says."""

    view: RunView
    workflow: Workflow
    """What the run was a run of."""
    name: str
    asked: Mapping[str, Json]
    """The inputs of the run."""
    pins: Mapping[str, PinSpec]
    folder: Path
    """Where the file is to stand."""
    nodes: Mapping[NodeId, Node]
    fresh: frozenset[NodeId]
    """Nodes that do not stand in the workflow as they are in the plan."""
    by_planner: tuple[NodeId, ...]
    output: Json
    new: Mapping[str, Json]
    """Inputs that were words of the task, with their values in the run."""
    read: set[str]
    """Inputs that the plan reads."""
    turned: tuple[Turned, ...]
    left: tuple[Left, ...]

    @property
    def purpose(self) -> str:
        """What the planner of the run was told beside its inputs."""
        spec = self.workflow.spec
        return spec.promoted.purpose if spec.promoted else purpose_of(spec.description, spec.planner.instructions)

    def parts(self) -> Iterator[str]:
        """Yield the file piece by piece."""
        written = self.workflow.to_json()
        yield from self._head()
        yield as_yaml({"version": 1, "name": self.name, "description": self._description(written)})
        if (base := os.path.relpath(self.workflow.base_dir, self.folder)) != ".":
            yield as_yaml({"base": base})
        yield as_yaml({"promoted": self._promoted()})
        if inputs := self._inputs(written):
            yield "\n" + as_yaml({"inputs": inputs})
        yield "\n"
        yield from (as_yaml({key: written[key]}) for key in _BEFORE if key in written)
        yield from self._planner(written)
        yield from (as_yaml({key: written[key]}) for key in _BEHIND if key in written)
        yield "\nnodes:\n"
        for node in self.nodes.values():
            yield from self._node(node, written)
        yield from self._tail()

    def _head(self) -> Iterator[str]:
        yield "# Written by `planloom promote`. Read it before you rely on it; it is yours to edit.\n#\n"
        yield f"# The plan of run {self.view.run_id}, every node of which passed its checks.\n"
        if self.view.rehearsal:
            yield "# REHEARSAL: in that run a script answered in place of models. No model has proved this plan.\n"
        counts = f"{len(self.turned)} became inputs, {len(self.left)} that may have come from them were left"
        yield f"# Literals: {counts}; each is named at its node.\n"
        for name in self.workflow.spec.inputs:
            if name not in self.read:
                yield f"# Input {name} is gone: nothing in the plan reads it, what the planner made of it is fixed.\n"
        yield "\n"

    def _description(self, written: JsonObject) -> str:
        texts = ((name, value) for name, value in self.asked.items() if isinstance(value, str))
        task = "\n".join(text if name == "task" else f"{name}: {text}" for name, text in texts)
        for name, value in self.new.items():
            for text in [as_text(item) for item in (value if isinstance(value, list) else [value])]:
                task = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", f"{{{name}}}", task)
        if self.workflow.spec.promoted is not None or not task:
            return str(written.get("description", ""))
        said = f"{written['description']}\n" if written.get("description") else ""
        return f"{said}The plan was written for this task, inputs in place of {{...}}: {_literal(task)}"

    def _promoted(self) -> JsonObject:
        spec = PromotedSpec(
            run=self.view.run_id,
            asked={name: _literal(value) for name, value in self.asked.items()},
            purpose=self.purpose.replace("${", "$${"),
            rehearsal=self.view.rehearsal,
            by_planner=tuple(map(str, self.by_planner)),
        )
        return spec.model_dump(mode="json", exclude_defaults=True)

    def _inputs(self, written: JsonObject) -> JsonObject:
        declared = written.get("inputs")
        inputs = {n: v for n, v in declared.items() if n in self.read} if isinstance(declared, dict) else {}
        for name, value in self.new.items():
            about = "Stood in the task of the promoted run; its value there is the default."
            inputs[name] = {"type": _KINDS[type(value)], "description": about, "default": _literal(value)}
        return inputs

    def _planner(self, written: JsonObject) -> Iterator[str]:
        planner, rung = written.get("planner"), self.workflow.spec.planner_rung
        yield "\n# Nobody plans. The planner is asked only to mend the plan behind a failure, as `route` allows.\n"
        yield as_yaml({"plan": "static"})
        if rung is not None:
            kept = {k: v for k, v in planner.items() if k not in _OF_PLANNING} if isinstance(planner, dict) else {}
            yield as_yaml({"planner": {**kept, "model": rung}})

    def _node(self, node: Node, written: JsonObject) -> Iterator[str]:
        own, data = written.get("nodes"), node_json(node)
        node_id = str(data.pop("id"))
        theirs = own[node_id] if node.id not in self.fresh and isinstance(own, dict) else data
        text = as_yaml({node_id: theirs}).rstrip("\n")
        for note in [self._proof(node.id), *self._notes(node.id)]:
            yield f"  # {' '.join(note.split())}\n"
        yield "".join(f"  {line}\n" for line in text.split("\n"))

    def _proof(self, node_id: NodeId) -> str:
        """Say how the node went in the run."""
        views = [view for i, view in self.view.nodes.items() if i.partition("[")[0] == node_id]
        tries = [attempt for view in views for attempt in view.attempts]
        rungs = ", ".join(dict.fromkeys(attempt.rung for attempt in tries if attempt.rung))
        attempts = f"{len(tries)} attempt{'' if len(tries) == 1 else 's'}"
        return f"{self.view.nodes[node_id].state} after {attempts}" + (f" on {rungs}" if rungs else "")

    def _notes(self, node_id: NodeId | None) -> Iterator[str]:
        for item in self.turned:
            if item.node_id == node_id:
                yield f"{item.field}: {shown(item.was)} became {item.path}"
        for left in self.left:
            if left.node_id == node_id:
                yield f"{left.field}: {shown(left.was)} was left: {left.reason}"

    def _tail(self) -> Iterator[str]:
        if self.output is not None:
            yield "\n" + "".join(f"# {' '.join(note.split())}\n" for note in self._notes(None))
            yield as_yaml({"output": self.output})
        if self.pins:
            yield "\n# What the tools were: one whose schema or description has changed is refused, with the reason.\n"
            yield as_yaml({"pins": {name: pin.model_dump(mode="json") for name, pin in self.pins.items()}})


def _literal(value: Json) -> Json:
    """Return a value so that reading the file leaves it as it is: `${` in it names nothing."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    return [_literal(item) for item in value] if isinstance(value, list) else value
