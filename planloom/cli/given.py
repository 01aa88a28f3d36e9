"""What was given on the command line, as values: workflows by file or name, inputs, approvals."""

import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import typer

from planloom.configs.load import Workflow, shipped_names
from planloom.core.errors import ConfigError, Problem
from planloom.core.json import Json, JsonObject
from planloom.models.script import load_script

DEFAULT_WORKFLOW = "assistant"
"""The shipped workflow that runs when only a task is given."""


def load_workflow(given: str | None) -> Workflow:
    """Load a workflow file, or a shipped workflow by its name; `None` takes the general one.

    Raises:
        ConfigError: There is no such file or name, or something is wrong with it.
    """
    if given is None:
        return Workflow.shipped(DEFAULT_WORKFLOW)
    path = Path(given)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return Workflow.from_yaml(path)
    names = [name for name in shipped_names() if "." not in name]
    if given in names:
        return Workflow.shipped(given)
    message = f"expected a file, or a shipped workflow ({', '.join(names) or 'there is none'}), found neither"
    raise ConfigError(given, [Problem(message)])


def source_of(given: str) -> Workflow | Path:
    """Return a folder as it is, and the workflow that anything else names."""
    return Path(given) if Path(given).is_dir() else load_workflow(given)


def find_script(given: Path | None) -> Path | None:
    """Return the path of a rehearsal script, by its file or by the name of the shipped workflow it plays.

    Raises:
        ConfigError: It is not there, or something is wrong with it.
    """
    if given is None:
        return None
    shipped = Path(str(resources.files("planloom.configs"))) / f"{given}.rehearsal.yaml"
    named = not given.exists() and len(given.parts) == 1 and shipped.is_file()
    path = shipped if named else given
    load_script(path)
    return path


def read_inputs(workflow: Workflow, *, task: str | None, pairs: Iterable[str], file: Path | None) -> dict[str, Json]:
    """Gather a run's inputs; `pairs` are `name=value`, and win over `task`, which wins over the file.

    A value is text where the workflow declares a string, and JSON where it declares anything else.

    Raises:
        ConfigError: The file is no JSON object, a pair has no `=`, or a value is not of its type.
    """
    inputs: dict[str, Json] = dict(_from_file(file)) if file else {}
    if task is not None:
        inputs["task"] = task
    problems: list[Problem] = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            problems.append(Problem(f"expected NAME=VALUE, found {pair!r}", "--input"))
            continue
        try:
            inputs[name] = _value(workflow, name, text)
        except ValueError as exc:
            problems.append(Problem(str(exc), f"inputs.{name}"))
    if problems:
        raise ConfigError("command line", problems)
    return inputs


def _value(workflow: Workflow, name: str, text: str) -> Json:
    spec = workflow.spec.inputs.get(name)
    if spec is None or spec.type == "string":
        return text
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        article = "an" if spec.type[0] in "aeiou" else "a"
        raise ValueError(f"expected {article} {spec.type} as JSON, found {text[:80]!r}") from None
    return value


def _from_file(file: Path) -> JsonObject:
    try:
        value: Json = json.loads(file.read_bytes())
    except OSError as exc:
        raise ConfigError(file, [Problem(f"expected a readable file, found: {exc.strerror}")]) from exc
    except json.JSONDecodeError as exc:
        raise ConfigError(file, [Problem(f"not JSON: {exc.msg}", "", exc.lineno, exc.colno)]) from exc
    except (UnicodeDecodeError, RecursionError) as exc:
        raise ConfigError(file, [Problem(f"not JSON: {exc}")]) from exc
    if not isinstance(value, dict):
        raise ConfigError(file, [Problem(f"expected a JSON object, found {json.dumps(value)[:40]}")])
    return value


def check_output(path: Path | None) -> None:
    """Check that a file can stand at `path`; `None` is no file.

    Raises:
        ConfigError: It is a folder, or its folder is not there.
    """
    if path is None:
        return
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise ConfigError(path, [Problem("expected a file in a folder that exists", "--output")])


def write_output(text: str, path: Path | None) -> None:
    """Write a text to a file, or print it where no file is named."""
    if path is None:
        typer.echo(text)
    else:
        path.write_text(text + "\n", encoding="utf-8")


def check_base_url(url: str | None) -> None:
    """Check that models can be asked at `url`; `None` is no server.

    Raises:
        ConfigError: It is no http or https URL with a host.
    """
    if url is None:
        return
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        good = False
    if not good:
        wanted = "expected http://HOST... or https://HOST..."
        raise ConfigError("command line", [Problem(f"{wanted}, found {url[:80]!r}", "--base-url")])


def read_budget(text: str | None) -> Mapping[str, Json]:
    """Return caps by name from `usd=1.0,calls=20`; empty for nothing.

    Raises:
        ConfigError: It is written in another way.
    """
    caps: dict[str, Json] = {}
    for part in text.split(",") if text is not None else ():
        name, given, value = (piece.strip() for piece in part.partition("="))
        if not (name and given and value):
            raise ConfigError("command line", [Problem(f"expected NAME=CAP, found {part[:40]!r}", "--budget")])
        try:
            caps[name] = float(value) if name == "usd" else int(value)
        except ValueError:
            caps[name] = value  # with a unit, such as 2M or 10m
    return caps


def read_prices(given: Iterable[str]) -> Mapping[str, float]:
    """Return prices by model from texts such as `gpt-5-mini=0.25`.

    Raises:
        ConfigError: One is written in another way.
    """
    prices: dict[str, float] = {}
    for text in given:
        model, _, price = text.rpartition("=")
        try:
            prices[model.strip()] = float(price)
        except ValueError:
            model = ""
        if not model or not 0 <= prices[model.strip()] < float("inf"):
            raise ConfigError("command line", [Problem(f"expected MODEL=USD, found {text[:40]!r}", "--price")])
    return prices


def read_approvals(approve: Iterable[str], reject: Iterable[str]) -> Mapping[str, bool]:
    """Return answers by node id, `plan` for the plan as a whole.

    Raises:
        ConfigError: One is both approved and rejected.
    """
    yes, no = set(approve), set(reject)
    if both := sorted(yes & no):
        raise ConfigError("command line", [Problem(f"approved and rejected at once: {', '.join(both)}")])
    return {**dict.fromkeys(yes, True), **dict.fromkeys(no, False)}
