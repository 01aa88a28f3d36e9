"""What is shown of a run that has ended, and of one in the journal: tables, evidence, a time line."""

from collections.abc import Iterable, Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from planloom.cli.live import decisions, heading, nodes_grid, totals
from planloom.cli.rows import Row, base_of, table
from planloom.cli.words import COLOURS, STATUS_COLOURS, harmless, one_line, plural, pretty, seconds, tokens, usd
from planloom.core.events import Status
from planloom.core.outcome import Evidence
from planloom.core.result import AttemptRecord, NodeRecord, PendingApproval, RunResult
from planloom.core.view import AttemptView, RunView

EXIT_CODES: dict[Status, int] = {
    "done": 0,
    "partial": 1,
    "failed": 1,
    "cancelled": 1,
    "running": 1,
    "waiting": 3,
}
"""Exit code of `run` and `resume` by the run's status."""


def summary(view: RunView, now: float) -> RenderableType:
    """Nodes with their edges, decisions and totals of a run, whole."""
    drawn = table(view, now, removed=True)
    parts: list[RenderableType] = [heading(view), nodes_grid(drawn, max(3, len(drawn.rows)), now)]
    if view.decisions:
        parts.append(decisions(view.decisions, since=view.started_at))
    parts.append(totals(view, now))
    return Group(*parts)


def print_result(console: Console, result: RunResult) -> None:
    """Print the output of a run, or why there is none, and what to do next."""
    if result.output is not None:
        console.print(Text(harmless(pretty(result.output))), soft_wrap=True)
    if result.error:
        console.print(Text(f"{result.status}: {harmless(result.error)}", STATUS_COLOURS[result.status]), soft_wrap=True)
    for hint in hints(result):
        console.print(Text(hint), soft_wrap=True)


def hints(result: RunResult) -> list[str]:
    """Say how a run that is not done goes on."""
    if result.status == "waiting":
        return [
            *(f"waits for a human: {item.node_id or 'plan'}: {one_line(item.reason)}" for item in result.pending),
            f"planloom resume {result.run_id} {_answers(result.pending, 'approve')}",
            f"planloom resume {result.run_id} {_answers(result.pending, 'reject')}",
        ]
    if result.status in ("cancelled", "partial", "failed"):
        return [f"planloom show {result.run_id}", f"planloom resume {result.run_id}"]
    return []


def _answers(pending: Sequence[PendingApproval], answer: str) -> str:
    return " ".join(f"--{answer} {item.node_id or 'plan'}" for item in pending)


def closing(result: RunResult) -> str:
    """One plain line with what the run came to."""
    plain = (node for node in result.nodes.values() if base_of(node.id) == node.id)
    states = [node.state for node in plain if node.state != "removed"]
    badge = " REHEARSAL" if result.rehearsal else ""
    return (
        f"{result.status}: {states.count('done')}/{len(states)} nodes, {usd(result.cost_usd)}, "
        f"{result.usage.calls} calls, {tokens(result.usage.tokens)} tokens, {seconds(result.seconds)}, "
        f"run {result.run_id}{badge}"
    )


def record(view: RunView, now: float, width: int) -> RenderableType:
    """Everything about a run: summary, time line, every attempt with its evidence, the output."""
    result = view.result()
    parts: list[RenderableType] = [summary(view, now), Text(), timeline(view, now, width)]
    if any(node.attempts for node in result.nodes.values()):
        parts += [Text(), Text("attempts", "bold"), attempts(result.nodes.values())]
    for finding in result.findings:
        parts.append(Text(f"warning: {one_line(finding.text)}", "yellow"))
    if result.output is not None:
        parts += [Text(), Text("output", "bold"), Text(harmless(pretty(result.output)))]
    if result.error:
        parts += [Text(), Text(harmless(result.error), "red")]
    parts += [Text(hint) for hint in hints(result)]
    return Group(*parts)


def attempts(nodes: Iterable[NodeRecord]) -> RenderableType:
    """List every attempt: rung, model, time, cost, and what its checks saw."""
    grid = Grid.grid(padding=(0, 1), expand=True)
    for column in ("node", "rung", "calls", "cost"):
        grid.add_column(column, no_wrap=True, overflow="ellipsis", max_width=40)
    grid.add_column("evidence", ratio=1, overflow="fold")
    for node in nodes:
        for attempt in node.attempts:
            asked = f"{attempt.rung} ({attempt.model})" if attempt.model not in ("", attempt.rung) else attempt.rung
            grid.add_row(
                Text(f"  {node.id} #{attempt.attempt}"),
                Text(asked, "magenta"),
                Text(_asked(attempt)),
                Text(usd(attempt.cost_usd) if attempt.cost_usd else ""),
                _verdict(attempt),
            )
    return grid


def _asked(attempt: AttemptRecord) -> str:
    counts = [(attempt.usage.calls, "call"), (attempt.tool_calls, "tool call")]
    return ", ".join(plural(count, noun) for count, noun in counts if count)


def _verdict(attempt: AttemptRecord) -> Text:
    if attempt.ended_at is None:
        return Text("not ended", "yellow")
    if attempt.ok:
        passed = sum(item.passed for item in attempt.evidence)
        return Text(f"passed {plural(passed, 'check')}" if passed else "passed", "green")
    line = Text(f"{attempt.failure}: {one_line(attempt.message, 400)}", "red")
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


def timeline(view: RunView, now: float, width: int) -> RenderableType:
    """Draw when each node ran: one bar a node, failed attempts in red, waiting left blank."""
    rows = [row for row in table(view, now).rows if row.seconds is not None]
    if not rows:
        return Text("nothing ran", "bright_black")
    end = view.ended_at if view.ended_at is not None else now
    name_width = min(28, max(len(row.name) for row in rows))
    cells = max(10, width - name_width - 14)
    span = max(end - view.started_at, 1e-6)
    grid = Grid.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, overflow="ellipsis", width=name_width + 2)
    grid.add_column(no_wrap=True, width=cells)
    grid.add_column(no_wrap=True, justify="right")
    for row in rows:
        bar = _bar(_spans(view, row, end), view.started_at, span, cells)
        grid.add_row(Text(f"  {one_line(row.name)}"), bar, Text(seconds(row.seconds)))
    return Group(Text(f"time line, {seconds(span)}", "bold"), grid)


def _spans(view: RunView, row: Row, end: float) -> list[tuple[float, float, str]]:
    node = view.nodes[row.id]
    if node.attempts:
        return [_attempt_span(attempt, end) for attempt in node.attempts]
    start = node.started_at if node.started_at is not None else end
    return [(start, node.ended_at if node.ended_at is not None else end, COLOURS[row.state])]


def _attempt_span(attempt: AttemptView, end: float) -> tuple[float, float, str]:
    if attempt.ended_at is None:
        return attempt.started_at, end, "cyan"
    return attempt.started_at, attempt.ended_at, "red" if attempt.failed else "green"


def _bar(spans: Sequence[tuple[float, float, str]], origin: float, span: float, cells: int) -> Text:
    colours = [""] * cells
    for start, end, colour in spans:
        first = min(cells - 1, int((start - origin) / span * cells))
        last = min(cells - 1, max(first, int((end - origin) / span * cells - 1e-9)))
        colours[max(0, first) : last + 1] = [colour] * (last + 1 - max(0, first))
    bar = Text()
    for colour in colours:
        bar.append("━" if colour else " ", colour)
    return bar
