"""A person's answers from the command line: what waits, and what is said to it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from planloom.cli.given import write_output
from planloom.cli.hints import choices
from planloom.cli.journals import journal_at
from planloom.cli.words import harmless, pretty
from planloom.configs.document import Document
from planloom.configs.load import Workflow, read_document
from planloom.configs.nodes import node_json
from planloom.configs.write import as_yaml
from planloom.core.answer import Answer
from planloom.core.errors import ConfigError, Problem, RunError
from planloom.core.json import Json, JsonObject
from planloom.core.pins import Pins
from planloom.core.plan import Plan, RunId
from planloom.core.view import RunView
from planloom.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What stands on the command line."""

    nodes: tuple[str, ...]
    everything: bool
    rejected: tuple[str, ...]
    note: str
    edit: Path | None
    happened: bool
    result: str | None


def read_answers(said: Said, view: RunView) -> Mapping[str, Answer]:
    """Return the answers by what waits; empty when nothing was said.

    Raises:
        ConfigError: The words contradict each other, or the edited plan cannot be read.
    """
    waits = [str(item.node_id or "plan") for item in view.pending.values()]
    yes, no = {*said.nodes, *(waits if said.everything else ())} - set(said.rejected), set(said.rejected)
    if both := sorted(set(said.nodes) & no):
        raise _fault(f"approved and rejected at once: {', '.join(both)}")
    if said.happened and len(yes) != 1:
        raise _fault("--happened goes with exactly one node")
    result: Json = _json(said.result) if said.result is not None else None
    answers = {name: Answer(note=said.note, happened=said.happened, result=result) for name in yes}
    answers |= {name: Answer(approved=False, note=said.note) for name in no}
    if said.edit is not None:
        answers["plan"] = Answer(note=said.note, plan=_edited(said.edit))
    return answers


def _json(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError as exc:
        raise _fault(f"--result: expected JSON, found {text[:60]!r} ({exc})") from exc
    return value


def _edited(path: Path) -> JsonObject:
    data = _document(path).data
    return data if isinstance(data, dict) else {}


def _document(path: Path) -> Document:
    document = read_document(path)
    data = document.data
    if document.problems or not isinstance(data, dict) or set(data) - {"nodes", "output"} or "nodes" not in data:
        problems = document.problems or [
            Problem("expected `nodes`, and maybe `output`, as `planloom show --plan` prints")
        ]
        raise ConfigError(path, problems)
    return document


async def check_edited(path: Path, view: RunView) -> None:
    """Check an edited plan before anything is told to its run, where its lines can still be named.

    Raises:
        ConfigError: It must be fixed first; every problem has line and column.
    """
    workflow = Workflow.with_plan(view.workflow, view.base_dir, _document(path))
    async with Engine(journal=":memory:") as engine:
        await engine.check(workflow, Pins(servers=view.pins))


def _fault(message: str) -> ConfigError:
    return ConfigError("command line", [Problem(message)])


async def view_of(run_id: str, journal: str | None) -> RunView:
    """Return a run as its journal tells it.

    Raises:
        RunError: There is no such run.
    """
    async with journal_at(journal, "upgrade") as found:
        return await found.view(run_id)


async def delivered(run_id: str, answers: Mapping[str, Answer], journal: str | None) -> bool:
    """Tell answers to the process that is at work on a run; tell whether one took them in.

    Raises:
        RunError: An answer is to nothing that waits.
    """
    async with Engine(journal=journal_at(journal, "upgrade")) as engine:
        return await engine.journal.live(RunId(run_id)) and await engine.answer(run_id, answers)


def print_told(run_id: RunId, *, as_json: bool) -> None:
    """Print that answers were left for whoever is at work on a run."""
    told = f"told the process that is at work on run {run_id}"
    typer.echo(json.dumps({"run_id": run_id, "told": True}) if as_json else told)


def print_pending(view: RunView, journal: str | None, *, as_json: bool) -> None:
    """Print what waits for a person, with what there is to decide about and the commands that answer it."""
    if as_json:
        waits = view.result().as_json()["pending"]
        typer.echo(json.dumps({"run_id": view.run_id, "status": view.status, "pending": waits}, ensure_ascii=False))
        return
    for item in view.pending.values():
        typer.echo(f"{item.node_id or 'plan'}: {harmless(item.reason)}")
        shown = item.shown
        if item.node_id is None and view.plan is not None:
            shown = plan_json(view.plan)
        if shown is not None:
            typer.echo("  " + harmless(pretty(shown)).replace("\n", "\n  "))
    for choice in choices(view, journal):
        typer.echo(choice)
    if not view.pending:
        typer.echo(f"nothing of run {view.run_id} waits for a human", err=True)


def plan_json(plan: Plan) -> JsonObject:
    """Return a plan as it would be written under `nodes` and `output` of a workflow."""
    nodes: JsonObject = {}
    for node in plan.nodes.values():
        written = node_json(node)
        nodes[str(written.pop("id"))] = written
    return {"nodes": nodes} if plan.output is None else {"nodes": nodes, "output": plan.output}


async def print_plan(run_id: str, journal: str | None, output: Path | None) -> None:
    """Print a run's plan as YAML, or write it to a file, to be edited and given back.

    Raises:
        RunError: There is no such run, or it has no plan yet.
    """
    view = await view_of(run_id, journal)
    if view.plan is None:
        raise RunError(f"run {view.run_id} has no plan yet")
    await asyncio.to_thread(write_output, as_yaml(plan_json(view.plan)).rstrip("\n"), output)
