"""Tools held to what they were when a workflow was written down: digests of what models and callers see of them."""

from collections.abc import Iterator, Mapping

from planloom.configs.promotion import PinSpec
from planloom.core.json import Json, digest
from planloom.core.plan import ToolName
from planloom.tools.base import Tool


def pin_of(tool: Tool) -> PinSpec:
    """Return what a tool is known by from now on."""
    known = tool.parameters.get("properties")
    parameters = known if isinstance(known, dict) else {}
    rest: Json = {key: value for key, value in tool.parameters.items() if key != "properties"}
    return PinSpec(
        effect=tool.effect,
        description=digest(tool.description),
        parameters={name: digest(schema) for name, schema in parameters.items()},
        rest=digest(rest),
    )


def drift(pins: Mapping[str, PinSpec], tools: Mapping[ToolName, Tool]) -> Iterator[tuple[str, str]]:
    """Yield the name of every pinned tool that is not as it was, with what changed about it."""
    for name, pin in pins.items():
        tool = tools.get(ToolName(name))
        told = "it is not offered any more" if tool is None else "; ".join(_changes(pin, pin_of(tool)))
        if told:
            yield name, told


def _changes(old: PinSpec, new: PinSpec) -> Iterator[str]:
    if old.effect != new.effect:
        yield f"its effect is {new.effect}, it was {old.effect}"
    if old.description != new.description:
        yield "its description changed"
    before, after = old.parameters, new.parameters
    for word, names in (
        ("new", after.keys() - before.keys()),
        ("gone", before.keys() - after.keys()),
        ("changed", {name for name in before.keys() & after.keys() if before[name] != after[name]}),
    ):
        if names:
            yield f"parameters {word}: {', '.join(sorted(names))}"
    if old.rest != new.rest:
        yield "what its parameters must hold together changed, such as which are required"
