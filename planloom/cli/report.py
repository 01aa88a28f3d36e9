"""What is shown of a run that has ended, and of one in the journal: tables, evidence, a time line."""

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from planloom.cli.gantt import Gantt
from planloom.cli.hints import hints
from planloom.cli.live import decisions, heading, nodes_grid, totals
from planloom.cli.panels import panels
from planloom.cli.rows import base_of, table
from planloom.cli.timeline import timeline
from planloom.cli.words import STATUS_COLOURS, harmless, one_line, plural, pretty, seconds, tokens, usd
from planloom.core.events import PlansCompared, Status
from planloom.core.outcome import Evidence, reason_of
from planloom.core.result import AttemptRecord, NodeRecord, RunResult
from planloom.core.view import RunView

EXIT_CODES: dict[Status, int] = {
    "done": 0,
    "partial": 1,
    "failed": 1,
    "cancelled": 1,
    "running": 1,
    "interrupted": 1,
    "waiting": 3,
}
"""Exit code of `run` and `resume` by the run's status."""


_TOLD = ("agree", "policy")
"""Checks whose evidence is worth a line though they passed: who was outvoted, how likely an answer is right."""


def summary(view: RunView, now: float) -> RenderableType:
    """Nodes with their edges, decisions and totals of a run, whole."""
    drawn = table(view, now, removed=True)
    parts: list[RenderableType] = [heading(view), nodes_grid(drawn, max(3, len(drawn.rows)), now)]
    if view.decisions:
        parts.append(decisions(view.decisions, since=view.started_at))
    if view.compared is not None:
        parts.append(_compared(view.compared))
    parts.append(totals(view, now))
    return Group(*parts)


def _compared(event: PlansCompared) -> Text:
    """Say which of several plans was taken, why, and what the others would have done."""
    reasons = {
        "agreed": "enough of them are the same",
        "next rung": "none agreed, and a stronger planner wrote it",
        "lint": "none agreed, and it has the fewest warnings",
    }
    told = f"  plans compared: {one_line(event.found)}; plan {event.taken} taken, because {reasons[event.because]}"
    return Text(told + (f"\n  dissent: {one_line(event.dissent, 600)}" if event.dissent else ""), "bright_black")


def print_result(console: Console, view: RunView, journal: str | None = None) -> None:
    """Print the output of a run, or why there is none, and what to do next with it in `journal`."""
    result = view.result()
    if result.output is not None:
        console.print(Text(harmless(pretty(result.output))), soft_wrap=True)
    if result.error:
        console.print(Text(f"{result.status}: {harmless(result.error)}", STATUS_COLOURS[result.status]), soft_wrap=True)
    for hint in hints(view, journal):
        console.print(Text(hint), soft_wrap=True)


def counts(result: RunResult) -> tuple[int, int]:
    """Count the nodes that are done, and all of them; elements of a map are part of their node."""
    plain = (node for node in result.nodes.values() if base_of(node.id) == node.id)
    states = [node.state for node in plain if node.state != "removed"]
    return states.count("done"), len(states)


def closing(result: RunResult) -> str:
    """One plain line with what the run came to."""
    badge = " REHEARSAL" if result.rehearsal else ""
    skipped = sum(node.state == "skipped" for node in result.nodes.values() if base_of(node.id) == node.id)
    beside = f" ({skipped} skipped)" if skipped else ""
    return (
        f"{result.status}: {'/'.join(map(str, counts(result)))} nodes{beside}, {usd(result.cost_usd)}, "
        f"{result.usage.calls} calls, {tokens(result.usage.tokens)} tokens, {seconds(result.seconds)}, "
        f"run {result.run_id}{badge}"
    )


def record(view: RunView, gantt: Gantt, now: float, width: int, journal: str | None = None) -> RenderableType:
    """Everything about a run: summary, time line, every attempt with its evidence, the output.

    Args:
        view: The run.
        gantt: When who did what in it.
        now: Seconds since the epoch up to which what still runs is drawn.
        width: Columns.
        journal: What was given with `--journal`, for the commands that go on.
    """
    result = view.result()
    parts: list[RenderableType] = [summary(view, now), Text(), timeline(gantt, width)]
    if any(node.attempts for node in result.nodes.values()):
        parts += [Text(), Text("attempts", "bold"), attempts(result.nodes.values(), width)]
    parts += panels(result.nodes.values())
    for finding in result.findings:
        parts.append(Text(f"warning: {one_line(finding.text)}", "yellow"))
    if result.output is not None:
        parts += [Text(), Text("output", "bold"), Text(harmless(pretty(result.output)))]
    if result.untrusted:
        parts.append(Text(f"may hold words from {', '.join(result.untrusted)}, which nobody vouches for", "dim"))
    if result.error:
        parts += [Text(), Text(harmless(result.error), "red")]
    parts += [Text(hint) for hint in hints(view, journal)]
    return Group(*parts)


def attempts(nodes: Iterable[NodeRecord], width: int) -> RenderableType:
    """List every attempt in `width` columns: rung, model, calls, cost; below it what its checks saw.

    What does not fit is cut in the models' names first.
    """
    listed = [(node, attempt) for node in nodes for attempt in node.attempts]
    names = [f"{node.id} #{attempt.attempt}" for node, attempt in listed]
    rungs = [_rung(attempt) for _, attempt in listed]
    calls = [_asked(attempt) for _, attempt in listed]
    costs = [usd(attempt.cost_usd) if attempt.cost_usd else "" for _, attempt in listed]
    widths = [max(map(len, column), default=0) for column in (names, rungs, calls, costs)]
    widths[0] = min(widths[0], width // 3)
    widths[1] = max(8, min(widths[1], width - widths[0] - widths[2] - widths[3] - 8))
    parts: list[RenderableType] = []
    for index, (_, attempt) in enumerate(listed):
        cells = [Text(names[index]), Text(rungs[index], "magenta"), Text(calls[index]), Text(costs[index])]
        for cell, room in zip(cells, widths, strict=True):
            cell.truncate(room, overflow="ellipsis", pad=True)
        parts.append(Text("  ").append_text(Text("  ").join(cells)))
        parts.append(Padding(_verdict(attempt), (0, 0, 0, 6)))
    return Group(*parts)


def _rung(attempt: AttemptRecord) -> str:
    return f"{attempt.rung} ({attempt.model})" if attempt.model not in ("", attempt.rung) else attempt.rung


def _asked(attempt: AttemptRecord) -> str:
    counts = [(attempt.usage.calls, "call"), (attempt.tool_calls, "tool call")]
    return ", ".join(plural(count, noun) for count, noun in counts if count)


def _verdict(attempt: AttemptRecord) -> Text:
    if attempt.ended_at is None:
        return Text("not ended", "yellow")
    if attempt.ok:
        passed = sum(item.passed for item in attempt.evidence)
        line = Text(f"passed {plural(passed, 'check')}" if passed else "passed", "green")
        for item in attempt.evidence:
            if item.check in _TOLD:
                line.append(f"\n{_saw(item)}", "bright_black")
        return line
    line = Text(reason_of(attempt.failure, one_line(attempt.message, 400)), "red")
    for item in attempt.evidence:
        if not item.passed and item.check not in attempt.message:
            line.append(f"\n{_saw(item)}", "bright_black")
    return line


def _saw(item: Evidence) -> str:
    facts = [
        one_line(item.check),
        f"expected {one_line(item.expected)}" if item.expected else "",
        f"found {one_line(item.found)}" if item.found else "",
        f"at {one_line(item.where)}" if item.where else "",
    ]
    return ", ".join(fact for fact in facts if fact)
