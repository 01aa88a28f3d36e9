"""Workflows looked at without running them: `validate`, `lint`, `explain`, `lock`, `graph`."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from planloom.cli.draw import Picture
from planloom.cli.explain import explained, explained_json
from planloom.cli.given import load_workflow
from planloom.cli.pictures import of_plan, of_run
from planloom.cli.words import console, harmless
from planloom.configs.load import Workflow, shipped_names
from planloom.configs.lock import lock_path, write_lock
from planloom.configs.policy import read_policy
from planloom.configs.prompt_rules import prompt_problems
from planloom.core.errors import ConfigError, Problem
from planloom.core.json import JsonObject
from planloom.graphs.doubt import set_aside

if TYPE_CHECKING:
    from planloom.graphs.estimate import Checked


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    file: str
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()

    def as_json(self) -> JsonObject:
        return {
            "file": self.file,
            "ok": not self.problems,
            "problems": [_as_json(problem) for problem in self.problems],
            "warnings": [_as_json(problem) for problem in self.warnings],
        }


def _as_json(problem: Problem) -> JsonObject:
    return {
        "line": problem.line,
        "column": problem.column,
        "field": problem.field,
        "message": problem.message,
    }


async def validate(files: Sequence[str], *, as_json: bool) -> int:
    """Check workflows, print what was found, and return the exit code: 0, or 2 if one must not run."""
    verdicts = [await _verdict(file) for file in files]
    if as_json:
        typer.echo(json.dumps([verdict.as_json() for verdict in verdicts], ensure_ascii=False))
    else:
        for verdict in verdicts:
            _tell(verdict)
    return 2 if any(verdict.problems for verdict in verdicts) else 0


async def _verdict(file: str) -> _Verdict:
    try:
        workflow = load_workflow(file)
        checked = await _check(workflow)
    except ConfigError as exc:
        return _Verdict(file=file, problems=exc.problems)
    warnings = workflow.as_config_error(checked.findings).problems
    return _Verdict(file=file, warnings=warnings)


async def _check(workflow: Workflow) -> "Checked":
    # What makes parts is slow to import, and a file that cannot be loaded does not need it.
    from planloom.parts import check

    return await asyncio.to_thread(check, workflow)


def _tell(verdict: _Verdict) -> None:
    if verdict.problems:
        typer.echo(harmless(str(ConfigError(verdict.file, verdict.problems))), err=True)
        return
    if verdict.warnings:
        warned = [replace(found, message=f"warning: {found.message}") for found in verdict.warnings]
        typer.echo(harmless(str(ConfigError(verdict.file, warned))), err=True)
    typer.echo(f"{verdict.file}: ok")


def lint(files: Sequence[str], *, as_json: bool) -> int:
    """Print what prompts are better without and policies that do not fit, and return the exit code: 0, or 1 if any.

    Raises:
        ConfigError: A file cannot be loaded.
    """
    workflows = [(file, load_workflow(file)) for file in files]
    verdicts = [_Verdict(file=file, problems=[*prompt_problems(each), *_aside(each)]) for file, each in workflows]
    if as_json:
        typer.echo(json.dumps([verdict.as_json() for verdict in verdicts], ensure_ascii=False))
    else:
        for verdict in verdicts:
            _tell(verdict)
    return 1 if any(verdict.problems for verdict in verdicts) else 0


def _aside(workflow: Workflow) -> Sequence[Problem]:
    named = workflow.spec.route.policy
    if named is None:
        return ()
    return workflow.as_config_error(list(set_aside(read_policy(workflow.base_dir / named), workflow.spec))).problems


async def explain(file: str, journal: str | None, *, as_json: bool) -> None:
    """Print what a workflow would do.

    Raises:
        ConfigError: Something is wrong with it.
        JournalError: The journal cannot be read.
    """
    from planloom.cli.past import Told, past_of
    from planloom.cli.starts import starts_of

    workflow = load_workflow(file)
    checked = await _check(workflow)
    starts = await starts_of(workflow, checked.plan, journal)
    told = Told(await past_of(workflow.spec.name, journal), checked.plan, checked.edges)
    if as_json:
        typer.echo(json.dumps(explained_json(workflow.spec, checked, starts, told), ensure_ascii=False))
    else:
        console().print(explained(workflow, checked, starts, told))


async def lock(file: str) -> None:
    """Write what a workflow's MCP servers offer beside it, and say what that is.

    Raises:
        ConfigError: A server cannot be asked, or there is nothing to lock.
    """
    workflow = load_workflow(file)
    path = lock_path(workflow)
    if path is None or all(tool.mcp is None for tool in workflow.spec.tools.values()):
        raise ConfigError(file, [Problem("expected a tool with `mcp`, found none: there is nothing to lock", "tools")])
    from planloom.tools.discover import discover

    pins = await discover(workflow)
    for name, server in pins.servers.items():
        for tool in server.tools:
            about = tool.description.partition("\n")[0]
            typer.echo(harmless(f"{name}.{tool.name}: {about}"))
    write_lock(path, pins)
    typer.echo(f"wrote {path}")


def picture(target: str, journal: str | None) -> Picture:
    """Return what is to be drawn of a workflow file, a shipped workflow, or else a run.

    Raises:
        ConfigError: Something is wrong with the file.
        RunError: It is no file, and there is no such run.
    """
    path = Path(target)
    if path.exists() or path.suffix or target in shipped_names():
        return asyncio.run(_of_file(target))
    return asyncio.run(_of_run(target, journal))


async def _of_file(file: str) -> Picture:
    workflow = load_workflow(file)
    return of_plan(workflow.spec, await _check(workflow))


async def _of_run(target: str, journal: str | None) -> Picture:
    from planloom.cli.journals import journal_at

    async with journal_at(journal) as found:
        view = await found.view(target)
    return of_run(view, view.ended_at or time.time())
