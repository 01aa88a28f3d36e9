"""The workflows that a service offers, by name."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from planloom.configs.load import Workflow, read_document
from planloom.core.errors import ConfigError, Problem
from planloom.core.json import Json, JsonObject


def catalogue_of(sources: Iterable[Workflow | Path | str]) -> Mapping[str, Workflow]:
    """Load workflows: each given as it is, as a file, or as a folder of files.

    Raises:
        ConfigError: A file must be mended first, or two workflows have the same name.
    """
    found: dict[str, Workflow] = {}
    for workflow in (loaded for source in sources for loaded in _loaded(source)):
        name = workflow.spec.name
        if name in found:
            there = found[name].source
            raise ConfigError(workflow.source, [workflow.problem("name", f"{name!r} is the name of {there} as well")])
        found[name] = workflow
    return dict(sorted(found.items()))


def _loaded(source: Workflow | Path | str) -> list[Workflow]:
    if isinstance(source, Workflow):
        return [source]
    path = Path(source)
    if not path.is_dir():
        return [Workflow.from_yaml(path)]
    files = [file for file in sorted(path.glob("*.y*ml")) if _is_workflow(file)]
    if not files:
        raise ConfigError(path, [Problem("expected a folder with workflow files, found none in it")])
    return [Workflow.from_yaml(file) for file in files]


def _is_workflow(file: Path) -> bool:
    """Tell a workflow from what else lies beside it, such as rehearsal scripts."""
    data = read_document(file).data
    return isinstance(data, dict) and "version" in data


def input_schema(workflow: Workflow) -> JsonObject:
    """Return the JSON Schema of a workflow's inputs."""
    specs = workflow.spec.inputs
    properties: JsonObject = {}
    for name, spec in specs.items():
        about: JsonObject = {"description": spec.description} if spec.description else {}
        default: JsonObject = {} if spec.required else {"default": spec.default}
        properties[name] = {**spec.as_schema(), **about, **default}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name, spec in specs.items() if spec.required],
        "additionalProperties": False,
    }


_PLAIN: Mapping[str, Json] = {"string": "text", "number": 1.5, "integer": 1, "boolean": True, "array": [], "object": {}}


def request_of(workflows: Mapping[str, Workflow]) -> JsonObject:
    """Return what the document says of a request for a run: each workflow with its own inputs, and examples."""
    if not workflows:
        return {}
    choices: list[Json] = []
    examples: JsonObject = {}
    for name, workflow in workflows.items():
        inputs = input_schema(workflow)
        named: JsonObject = {"workflow": {"const": name}, "inputs": inputs}
        choices.append({"properties": named, "required": ["workflow", *(["inputs"] if inputs["required"] else [])]})
        needed = {key: spec for key, spec in workflow.spec.inputs.items() if spec.required}
        simplest: JsonObject = {key: spec.enum[0] if spec.enum else _PLAIN[spec.type] for key, spec in needed.items()}
        examples[name] = {"value": {"workflow": name, "inputs": simplest}}
    return {"schema": {"oneOf": choices}, "examples": examples}


def held_to(workflow: Workflow, *, time_s: float, usd: float | None) -> Workflow:
    """Return a workflow whose own budget is no more than what it may have here.

    Args:
        workflow: As it was written.
        time_s: Seconds it may be worked on.
        usd: US dollars it may cost; `None` leaves that to the workflow.
    """
    budget = workflow.spec.budget
    caps: JsonObject = {"time": time_s if budget.time is None else min(time_s, budget.time)}
    if usd is not None:
        caps["usd"] = usd if budget.usd is None else min(usd, budget.usd)
    written = workflow.to_json()
    own = written.get("budget")
    data: JsonObject = {**written, "budget": {**(own if isinstance(own, dict) else {}), **caps}}
    return replace(  # not read anew: lines, lock file and environment are those of the workflow
        workflow,
        spec=workflow.spec.model_copy(update={"budget": budget.model_copy(update=caps)}),
        document=replace(workflow.document, data=data),
    )
