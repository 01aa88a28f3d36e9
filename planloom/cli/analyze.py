"""`explain --analyze`: a run beside what it was expected to take, node by node."""

import json
from dataclasses import asdict, dataclass

import typer
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from planloom.cli.journals import journal_at
from planloom.cli.order import Edges, edges_of, in_order
from planloom.cli.words import console, count_range, seconds, tokens, usd, usd_range
from planloom.configs.load import Workflow
from planloom.core.errors import RunError
from planloom.core.plan import Node, NodeId
from planloom.core.view import RunView
from planloom.graphs.critical_path import Timing, timing
from planloom.graphs.estimate import Estimate, estimate
from planloom.graphs.history import History, Usual
from planloom.models.prices import price_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a node was expected to take: from past runs, or as a range from the prices."""

    rung: str
    calls_low: int
    calls_high: int
    usd_low: float | None
    usd_high: float | None
    seconds: float | None
    """`None`: no run before this one did such work."""
    tokens: float | None
    known_attempts: int
    """Attempts of past runs that it rests on; 0 for a range from prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actual:
    """What it took, over all attempts and elements."""

    rung: str
    state: str
    attempts: int
    calls: int
    usd: float
    seconds: float
    """Time of its attempts; of a map, from its start to its end."""
    tokens: int
    slack_s: float
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A run beside its estimates."""

    run_id: str
    rehearsal: bool
    nodes: dict[str, tuple[Expected, Actual]]
    critical_path: tuple[str, ...]
    critical_s: float
    run_s: float
    parallelism: float
    usd: float
    planner_usd: float
    """What is not the nodes' own: planning, repairs, replans."""

    def as_json(self) -> dict[str, object]:
        """Return it in the shape that `--json` prints."""
        nodes = {name: {"expected": asdict(said), "actual": asdict(was)} for name, (said, was) in self.nodes.items()}
        return {**asdict(self), "nodes": nodes}


async def analyze(run_id: str, journal: str | None, *, as_json: bool) -> None:
    """Print what each node of a run took beside what it was expected to.

    Raises:
        RunError: There is no such run, or it never had a plan.
    """
    async with journal_at(journal) as found:
        view = await found.view(run_id)
        history = History(await found.past_runs(view.name, view.tenant, before=view.started_at))
    made = analysis(view, history)
    if as_json:
        typer.echo(json.dumps(made.as_json(), ensure_ascii=False))
    else:
        console().print(_drawn(made))


def analysis(view: RunView, history: History) -> Analysis:
    """Hold a run against its estimates.

    Raises:
        RunError: It never had a plan.
    """
    if view.plan is None:
        raise RunError(f"run {view.run_id} has no plan, so there is nothing to analyze")
    spec = Workflow.from_json(view.workflow, view.base_dir).spec
    prices = {name: price_of(rung) for name, rung in spec.models.items()}
    edges = edges_of(view.plan.nodes)
    took = {node_id: view.nodes[node_id].worked_s for node_id in view.plan.nodes}
    shape = timing(edges, took)
    nodes: dict[str, tuple[Expected, Actual]] = {}
    for node_id in in_order(edges, edges):
        node = view.plan.nodes[node_id]
        said = estimate(node, spec.rungs, prices, spec.route)
        nodes[node_id] = _expected(said, history.usual(node, said.rung)), _actual(view, node, shape, took[node_id])
    return Analysis(
        run_id=view.run_id,
        rehearsal=view.rehearsal,
        nodes=nodes,
        critical_path=shape.path,
        critical_s=shape.makespan_s,
        run_s=view.active_s,
        parallelism=shape.parallelism,
        usd=view.cost_usd,
        planner_usd=max(0.0, view.cost_usd - sum(was.usd for _, was in nodes.values()) - _removed_usd(view, edges)),
    )


def _removed_usd(view: RunView, edges: Edges) -> float:
    return sum(node.cost_usd for i, node in view.nodes.items() if NodeId(i.partition("[")[0]) not in edges)


def _expected(said: Estimate, usual: Usual | None) -> Expected:
    cost = usual.cost_usd if usual else None
    return Expected(
        rung=said.rung,
        calls_low=said.calls_low,
        calls_high=said.calls_high,
        usd_low=said.usd_low if cost is None else cost,
        usd_high=said.usd_high if cost is None else cost,
        seconds=usual.seconds if usual else None,
        tokens=usual.tokens if usual else None,
        known_attempts=usual.attempts if usual else 0,
    )


def _actual(view: RunView, node: Node, shape: Timing, took_s: float) -> Actual:
    parts = [part for i, part in view.nodes.items() if i.partition("[")[0] == node.id]
    tries = [attempt for part in parts for attempt in part.attempts]
    return Actual(
        rung=tries[-1].rung if tries else "",
        state=view.nodes[node.id].state,
        attempts=len(tries),
        calls=sum(part.usage.calls for part in parts),
        usd=sum(part.cost_usd for part in parts),
        seconds=took_s,
        tokens=sum(part.usage.input_tokens + part.usage.output_tokens for part in parts),
        slack_s=shape.slack[node.id],
        critical=node.id in shape.path,
    )


def _drawn(made: Analysis) -> RenderableType:
    grid = Grid(box=None, padding=(0, 1), header_style="bright_black")
    grid.add_column("")
    for name in ("node", "rung"):
        grid.add_column(name, no_wrap=True, overflow="ellipsis", max_width=30)
    for name in ("tries", "calls", "", "cost", "", "time", "", "tokens", "", "slack"):
        grid.add_column(name, justify="right", no_wrap=True)
    for node_id, (said, was) in made.nodes.items():
        climbed = f"{said.rung} → {was.rung}" if was.rung and was.rung != said.rung else said.rung
        grid.add_row(
            Text("●" if was.critical else "", "yellow"),
            Text(node_id, "bold" if was.critical else ""),
            Text(climbed, "magenta"),
            str(was.attempts),
            Text(count_range(said.calls_low, said.calls_high), "bright_black"),
            str(was.calls),
            Text(usd_range(said.usd_low, said.usd_high) if said.rung else "", "bright_black"),
            usd(was.usd) if said.rung else "",
            Text("?" if said.seconds is None else seconds(said.seconds), "bright_black"),
            seconds(was.seconds),
            Text("" if said.tokens is None else tokens(round(said.tokens)), "bright_black"),
            tokens(was.tokens),
            seconds(was.slack_s),
        )
    lines = [
        ("critical", f"{' → '.join(made.critical_path)}  ({seconds(made.critical_s)} of {seconds(made.run_s)})"),
        ("cost", f"{usd(made.usd)}, of it {usd(made.planner_usd)} for planning; expected {_sums(made)}"),
        ("shape", f"{made.parallelism:.2f} nodes at work on average along the critical path"),
    ]
    badge = [Text("REHEARSAL: no model has taken this time or money", "yellow")] if made.rehearsal else []
    legend = Text("pairs: expected, then actual; ● on the critical path; ? no past run did such work", "bright_black")
    words = (Text.assemble((f"{name:<9}", "bold"), text) for name, text in lines)
    return Group(*badge, grid, legend, *words)


def _sums(made: Analysis) -> str:
    said = [expected for expected, _ in made.nodes.values() if expected.rung]
    lows = [item.usd_low for item in said if item.usd_low is not None]
    highs = [item.usd_high for item in said if item.usd_high is not None]
    return usd_range(sum(lows), sum(highs)) if len(lows) == len(highs) == len(said) else "unknown"
