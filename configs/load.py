"""Workflows from YAML, text, Python data and journals; everything wrong with one is a `ConfigError`."""

import os
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from importlib import resources
from itertools import islice
from pathlib import Path

from planloom.configs.compose import MAX_BYTES, compose, decode
from planloom.configs.document import MAX_PROBLEMS, Document, Position, locate
from planloom.configs.json_schema import misfits
from planloom.configs.phrases import instead, listed, nearest, quoted
from planloom.configs.plain import plain
from planloom.configs.rules import faults
from planloom.configs.secrets import misplaced, secrets_of
from planloom.configs.spec import WorkflowSpec
from planloom.configs.validate import check
from planloom.core.errors import ConfigError, Problem
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Finding
from planloom.core.secrets import Secrets

_CHECK = re.compile(r"checks\[(\d+)\]")


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """A workflow that has passed every check which needs no plan.

    All constructors raise `ConfigError` with every problem found. They fill `${env:NAME}` in from `env`,
    which is the process's environment when left out; a service that takes workflows from others passes
    the variables these may see.
    """

    spec: WorkflowSpec = field(repr=False)
    """With the environment filled in: it may hold secrets."""
    base_dir: Path
    """Relative paths in the workflow start here."""
    source: str
    """Path of the file, or `<text>`, `<python>`, `<journal>`."""
    document: Document = field(repr=False, compare=False)
    """What was written, before the environment was filled in."""
    secrets: Secrets = field(default_factory=Secrets, repr=False, compare=False)
    """What must not be written or shown to a model: of the environment, and what the workflow took from it."""

    @property
    def positions(self) -> Mapping[str, Position]:
        """Line and column of each dotted field."""
        return self.document.positions

    @classmethod
    def from_yaml(cls, path: Path | str, *, env: Mapping[str, str] | None = None) -> "Workflow":
        """Load a file; relative paths in it start at its folder, or at its `base`."""
        if isinstance(path, Mapping):
            raise TypeError("expected the path of a file, found a mapping; see Workflow.from_dict")
        document = read_document(path)
        folder = Path(path).resolve().parent
        return cls._checked(document, folder, env)._based(folder)

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        base_dir: Path | str | None = None,
        source: str = "<text>",
        env: Mapping[str, str] | None = None,
    ) -> "Workflow":
        """Load YAML text. `base_dir` is the working directory when left out; `base` starts at it."""
        folder = _folder(base_dir)
        return cls._checked(compose(text, source), folder, env)._based(folder)

    @classmethod
    def from_dict(
        cls,
        data: Mapping[str, object],
        *,
        base_dir: Path | str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> "Workflow":
        """Take data of the same shape as the YAML, under the same checks."""
        return cls._checked(plain(data, "<python>"), _folder(base_dir), env)

    @classmethod
    def from_spec(cls, spec: WorkflowSpec, *, base_dir: Path | str | None = None) -> "Workflow":
        """Take a workflow built from the models in `configs.spec`; `${env:NAME}` works in it too."""
        return cls.from_dict(spec.model_dump(mode="json", by_alias=True, exclude_unset=True), base_dir=base_dir)

    @classmethod
    def from_json(
        cls, data: JsonObject, base_dir: Path | str, *, source: str = "<journal>", env: Mapping[str, str] | None = None
    ) -> "Workflow":
        """Rebuild a workflow from `to_json`, with the environment of now; `source` names it in errors."""
        return cls._checked(plain(data, source), _folder(base_dir), env)

    @classmethod
    def with_plan(cls, data: JsonObject, base_dir: Path | str, plan: Document) -> "Workflow":
        """Rebuild a workflow from `to_json` with the nodes and output of a document, whose lines errors name."""
        written = plan.data if isinstance(plan.data, dict) else {}
        return cls._checked(replace(plan, data={**data, **written, "plan": "static"}), _folder(base_dir), None)

    @classmethod
    def shipped(cls, name: str) -> "Workflow":
        """Load a workflow that comes with the package."""
        folder = Path(str(resources.files("planloom.configs")))
        names = shipped_names()
        if name not in names:
            raise ConfigError(name, [Problem(f"no shipped workflow of that name, {instead(name, names)}")])
        return cls.from_yaml(folder / f"{name}.yaml")

    @classmethod
    def _checked(cls, document: Document, base_dir: Path, env: Mapping[str, str] | None) -> "Workflow":
        env = _surroundings() if env is None else env
        checked = check(WorkflowSpec, document, env)
        problems = [*checked.problems, *(document.problem(*found) for found in misplaced(checked.taken))]
        said = {problem.field for problem in problems}
        for place, message in islice(faults(checked.data), MAX_PROBLEMS):
            if place in checked.filled:
                message = message.partition(", found")[0] + ", found a text from the environment"
            if place not in said:
                problems.append(document.problem(place, message))
        if problems or checked.spec is None:
            raise ConfigError(document.source, sorted(problems, key=_place))
        secrets = secrets_of(checked.spec, checked.taken, env)
        return cls(spec=checked.spec, base_dir=base_dir, source=document.source, document=document, secrets=secrets)

    def _based(self, folder: Path) -> "Workflow":
        return replace(self, base_dir=(folder / self.spec.base).resolve())

    def to_json(self) -> JsonObject:
        """Return the workflow as it was written, `${env:NAME}` and all: no secret gets into the journal."""
        data = self.document.data
        return deepcopy(data) if isinstance(data, dict) else {}

    def locate(self, field: str) -> Position:
        """Return line and column of a dotted field, or of the nearest part around it; (0, 0) if unknown."""
        return locate(self.positions, field)

    def problem(self, field: str, message: str) -> Problem:
        """Return a problem at a dotted field, with line and column."""
        return self.document.problem(field, message)

    def as_config_error(self, findings: Sequence[Finding]) -> ConfigError:
        """Return the compiler's findings as the error of this file, in the order of its lines."""
        problems = [self.problem(self._field(finding), finding.message) for finding in findings]
        return ConfigError(self.source, sorted(problems, key=_place))

    def _field(self, finding: Finding) -> str:
        """Return a finding's field as the file has it: the plan counts checks without `agree`."""
        if finding.node_id is None:
            return finding.field
        node_id = finding.node_id.partition("[")[0]
        spec, place = self.spec.nodes.get(node_id), finding.field
        if spec and (check := _CHECK.match(place)):
            written = [index for index, check in enumerate(spec.checks) if not check.agree]
            index = int(check[1])
            place = f"checks[{written[index]}]{place[check.end() :]}" if index < len(written) else place
        return f"nodes.{node_id}.{place}" if place else f"nodes.{node_id}"

    def check_inputs(self, given: Mapping[str, Json]) -> JsonObject:
        """Return the inputs of a run, defaults filled in.

        Raises:
            ConfigError: One is unknown, missing or of the wrong type; `field` is such as `inputs.topic`.
        """
        specs = self.spec.inputs
        data = plain(given, self.source, root="inputs")
        values = data.data if isinstance(data.data, dict) else {}
        problems = [self.problem(bad.field, bad.message) for bad in data.problems]
        for name, value in values.items():
            place = f"inputs.{name}"
            if name not in specs:
                problems.append(self.problem(place, f"unknown input {quoted(name)}, {instead(name, specs)}"))
                continue
            found = islice(misfits(value, specs[name].as_schema(), place), MAX_PROBLEMS)
            problems += [self.problem(*misfit) for misfit in found]
        for name, spec in specs.items():
            if spec.required and name not in values:
                message = f"expected a value (JSON type {spec.type}), found none given"
                problems.append(self.problem(f"inputs.{name}", message))
        if problems:
            raise ConfigError(self.source, problems)
        return {name: values.get(name, deepcopy(spec.default)) for name, spec in specs.items()}


def read_document(path: Path | str) -> Document:
    """Read a YAML file; what is wrong with its YAML stands in the document.

    Raises:
        ConfigError: There is no such file, or it cannot be read as UTF-8 text.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise ConfigError(path, [Problem(_no_file(file))])
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise ConfigError(path, [Problem(f"expected a readable file, found: {reason}")]) from exc
    if len(raw) > MAX_BYTES:
        raise ConfigError(path, [Problem(f"expected at most {MAX_BYTES} bytes, found more", "", 1, 1)])
    text = decode(raw)
    if isinstance(text, Problem):
        raise ConfigError(path, [text])
    return compose(text, str(path))


def shipped_names() -> list[str]:
    """Return the names of the workflows that come with the package."""
    folder = resources.files("planloom.configs")
    files = (Path(item.name) for item in folder.iterdir())
    return sorted(file.stem for file in files if file.suffix == ".yaml" and not file.stem.endswith(".rehearsal"))


def _no_file(file: Path) -> str:
    if file.is_dir():
        inside = listed(sorted(item.name for item in file.glob("*.yaml")))
        return "expected a file, found a folder" + (f" with {inside}" if inside else "")
    if file.exists():
        return "expected a regular file, found another kind"
    beside = [item.name for item in file.parent.glob("*.y*ml")] if file.parent.is_dir() else []
    near = nearest(file.name, beside)
    return "expected a file, found none of that name" + (f"; did you mean {quoted(near)}?" if near else "")


def _surroundings() -> Mapping[str, str]:
    """Return the environment, with `PWD` as the folder this process works in: a parent's value can be stale."""
    return {**os.environ, "PWD": os.getcwd()}


def _folder(base_dir: Path | str | None) -> Path:
    return Path.cwd() if base_dir is None else Path(base_dir).resolve()


def _place(problem: Problem) -> tuple[bool, int, int]:
    return (problem.line == 0, problem.line, problem.column)
