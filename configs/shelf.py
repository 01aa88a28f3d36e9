"""A folder of promoted workflows: which of them were made for a task like this one, and which for this very one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from planloom.configs.load import read_document
from planloom.configs.promotion import PinSpec, PromotedSpec
from planloom.core.errors import ConfigError
from planloom.core.json import Json, JsonObject, canonical
from planloom.core.refs import as_text, pieces
from planloom.core.similar import similarities

_MOST_OFFERED = 2
_LEAST_ALIKE = 0.25
"""Below this the words in common are those that any two tasks share."""
_PINS = TypeAdapter(dict[str, PinSpec])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A promoted workflow as the shelf knows it: nothing of it is filled in or checked yet."""

    file: str
    name: str
    asked: Mapping[str, Json]
    """What its run was asked, by input."""
    purpose: str
    """What its planner was told beside that."""
    about: str
    inputs: JsonObject = field(repr=False)
    nodes: JsonObject = field(repr=False)
    output: Json = field(repr=False)
    pins: Mapping[str, PinSpec] = field(default_factory=dict[str, PinSpec], repr=False)
    """What its tools were."""

    def as_plan(self) -> JsonObject:
        """Return the plan as a planner writes one."""
        nodes: list[Json] = [{"id": name, **node} for name, node in self.nodes.items() if isinstance(node, dict)]
        return {"nodes": nodes, "output": self.output}

    def as_offer(self) -> JsonObject:
        """Return what a planner is shown of it."""
        return {"name": self.name, "asked": dict(self.asked), "inputs": self.inputs, **self.as_plan()}

    def fits(self, inputs: Mapping[str, Json], purpose: str) -> bool:
        """Tell whether a run is the same job: same purpose, and same inputs where the plan does not read them."""
        fixed = {name: value for name, value in inputs.items() if name not in self.inputs}
        needed = [name for name, spec in self.inputs.items() if name not in inputs and not _has_default(spec)]
        same = all(name in self.asked and canonical(self.asked[name]) == canonical(v) for name, v in fixed.items())
        return same and not needed and purpose == self.purpose

    def bound(self, inputs: Mapping[str, Json]) -> JsonObject:
        """Return the plan with the inputs of its own, which a run with `inputs` does not have, at their defaults."""
        own = {
            name: spec.get("default")
            for name, spec in self.inputs.items()
            if name not in inputs and isinstance(spec, dict)
        }
        plan = _bound(self.as_plan(), own)
        return plan if isinstance(plan, dict) else {}


def _has_default(spec: Json) -> bool:
    return isinstance(spec, dict) and "default" in spec


def _bound(value: Json, own: Mapping[str, Json], key: str = "") -> Json:
    if isinstance(value, dict):
        return {name: _bound(item, own, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_bound(item, own, key) for item in value]
    if not isinstance(value, str):
        return value
    if key in ("expr", "when"):
        return re.sub(r"\binputs\.(\w+)", lambda m: canonical(own[m[1]]) if m[1] in own else m[0], value)
    return _filled(value, own)


def _filled(text: str, own: Mapping[str, Json]) -> Json:
    refs = {f"${{inputs.{name}}}": value for name, value in own.items()}
    if text in refs:
        return refs[text]
    return "".join(as_text(refs[part]).replace("${", "$${") if part in refs else part for part in pieces(text))


def read_shelf(folder: Path) -> list[Shelved]:
    """Return the promoted workflows of a folder; what else lies there, or cannot be read, is passed over."""
    files = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    return [shelved for file in files for shelved in _read(file)]


def _read(file: Path) -> Iterator[Shelved]:
    try:
        document = read_document(file)
        data = document.data if isinstance(document.data, dict) else {}
        promoted = PromotedSpec.model_validate(data.get("promoted"))
        pins = _PINS.validate_python(data.get("pins") or {})
    except (ConfigError, ValidationError):
        return
    inputs, nodes = data.get("inputs") or {}, data.get("nodes")
    if isinstance(inputs, dict) and isinstance(nodes, dict):
        yield Shelved(
            file=str(file),
            name=str(data.get("name")),
            asked=_unescaped(promoted.asked),
            purpose=promoted.purpose.replace("$${", "${"),
            about=f"{data.get('name')} {data.get('description')}",
            inputs=inputs,
            nodes=nodes,
            output=data.get("output"),
            pins=pins,
        )


def _unescaped(asked: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value.replace("$${", "${") if isinstance(value, str) else value for name, value in asked.items()}


def alike(shelf: list[Shelved], inputs: Mapping[str, Json], purpose: str) -> list[Shelved]:
    """Return the few workflows whose task is most like this one: first those of the same job, then by words."""
    asked = _words(inputs)
    by_inputs = similarities(asked, [f"{item.about} {_words(item.asked)}" for item in shelf])
    by_task = similarities(f"{asked} {purpose}", [f"{item.purpose} {_words(item.asked)}" for item in shelf])
    scored = zip(shelf, by_inputs, by_task, strict=True)
    # of two tasks for the same purpose only the inputs tell whether they are alike
    scores = [given if item.purpose == purpose else max(given, whole) for item, given, whole in scored]
    rated = [(2.0 if item.fits(inputs, purpose) else score, item) for score, item in zip(scores, shelf, strict=True)]
    ranked = sorted(rated, key=lambda pair: (-pair[0], pair[1].file))
    return [item for score, item in ranked[:_MOST_OFFERED] if score >= _LEAST_ALIKE]


def _words(inputs: Mapping[str, Json]) -> str:
    return " ".join(as_text(value) for value in inputs.values())
