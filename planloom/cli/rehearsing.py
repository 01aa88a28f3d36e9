"""Rehearsal scripts: listed, or served as an OpenAI-compatible server."""

import asyncio
import json
from pathlib import Path

import typer
from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text

from planloom.cli.given import find_script
from planloom.cli.hints import command
from planloom.cli.listening import listen_at
from planloom.cli.words import compact, console, one_line, seconds
from planloom.models.script import Rule, Script, load_script


def rehearse(path: Path, *, serve: bool, host: str, port: int) -> None:
    """List the rules of a script, or serve it until interrupted.

    Raises:
        ConfigError: The file is not a script, or nothing can listen at that host and port.
    """
    path = find_script(path) or path
    script = load_script(path)
    if not serve:
        console().print(rules_table(script))
        typer.echo(f"{path}: ok, {len(script.rules)} rules")
        return
    from planloom.models.rehearsal import serve_rehearsal

    with listen_at(host, port) as listening:
        typer.echo(f"rehearsing {path} on http://{host}:{port}/v1, no model is asked; stop with Ctrl-C")
        run = command("run", "WORKFLOW", "--base-url", f"http://{host}:{port}/v1")
        typer.echo(f"use it: OPENAI_API_KEY=none {run}")
        asyncio.run(serve_rehearsal(script, host, port, listening=listening))


def rules_table(script: Script) -> RenderableType:
    """List which requests each rule is for, and what it answers."""
    grid = Grid(box=None, padding=(0, 1), header_style="bright_black", expand=True)
    grid.add_column("", justify="right")
    grid.add_column("when", ratio=3, overflow="fold")
    grid.add_column("answer", ratio=5, no_wrap=True, overflow="ellipsis")
    for number, rule in enumerate(script.rules, start=1):
        grid.add_row(str(number), Text(_when(rule)), Text(_answer(rule)))
    return grid


def _when(rule: Rule) -> str:
    wanted = rule.when.model_dump(mode="json", exclude_none=True)
    facts = [f"{key} {value if isinstance(value, str) else json.dumps(value)}" for key, value in wanted.items()]
    if rule.times is not None:
        facts.append("once" if rule.times == 1 else f"{rule.times} times")
    return one_line(", ".join(facts) or "any request")


def _answer(rule: Rule) -> str:
    parts: list[str] = []
    if rule.delay is not None:
        parts.append(f"after {seconds(rule.delay)}")
    if rule.status is not None:
        after = f", Retry-After {rule.retry_after}" if rule.retry_after is not None else ""
        return " ".join([*parts, f"HTTP {rule.status}{after}: {one_line(rule.error)}"])
    parts += [name for name in ("broken", "cut", "hang", "reset") if getattr(rule, name)]
    parts += [f"call {call.name} {compact(call.args)}" for call in rule.tool_calls]
    if rule.refuse is not None:
        parts.append(f"refuse: {one_line(rule.refuse)}")
    if rule.text is not None:
        parts.append(one_line(rule.text))
    elif rule.has_json:
        parts.append(compact(rule.json_))
    return " ".join(parts)
