"""What a workflow would do, before anything runs: its plan, the range of calls and cost, who plans."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from itertools import chain
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from planloom.cli.order import goal_of, in_order
from planloom.cli.past import Told
from planloom.cli.rails import MARK, rails
from planloom.cli.words import count_range, harmless, one_line, seconds, tokens, usd, usd_range
from planloom.configs.load import Workflow
from planloom.configs.spec import BudgetSpec, RungSpec, WorkflowSpec
from planloom.core.check import Check, CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck, TextCheck
from planloom.core.errors import ConfigError
from planloom.core.json import JsonObject
from planloom.core.plan import Node, NodeId, Plan
from planloom.graphs.critical_path import timing

if TYPE_CHECKING:
    from planloom.graphs.estimate import Checked, Estimate
    from planloom.graphs.past import Took

_MILLION = 1_000_000
_CHAIN = 1.2
"""Parallelism below which a plan is as good as a chain."""
_ONE_WORKER = (
    "almost nothing here runs side by side; one worker that holds the tools of all of them would take as long, and "
    "be sent the context once. Nodes of their own still pay where each has a check, or a cheaper model will do"
)

_SINGLE = "where nothing can run side by side, neighbouring workers become one; no node starts before the plan is whole"


def explained(workflow: Workflow, checked: "Checked", starts: Mapping[NodeId, str], told: Told) -> RenderableType:
    """Draw the plan table of a hand-written plan, or say who will plan and with what; then the models.

    Args:
        workflow: The workflow.
        checked: It, compiled.
        starts: On which rung nodes start by past runs, and why.
        told: What past runs took.
    """
    spec = workflow.spec
    parts: list[RenderableType] = [Text(spec.name, "bold")]
    if spec.description:
        parts.append(Text(one_line(spec.description, 1000), "bright_black"))
    if checked.plan is None:
        parts.append(_planner(spec, checked.planner_calls or (1, 1)))
    else:
        parts += [_nodes(checked.plan, checked, told), _sums(spec, checked.plan, checked, told)]
        parts += [Text.assemble(("starts  ", "bold"), f"{node_id} {why}") for node_id, why in starts.items()]
    parts += [Text.assemble((f"{name:<8} ", "bold"), one_line(text, 600)) for name, text in told.lines()]
    parts += [Text(), _models(spec), *_tools(spec, checked)]
    parts.append(Text.assemble(("budget  ", "bold"), _budget(spec.budget)))
    warned = warnings_of(workflow, checked)
    if warned.problems:
        parts.append(Text(harmless(str(warned)), "yellow"))
    return Group(*parts)


def warnings_of(workflow: Workflow, checked: "Checked") -> ConfigError:
    """Return what is odd about a workflow that may run, each with its place in the file."""
    found = workflow.as_config_error(checked.findings).problems
    return ConfigError(workflow.source, [replace(problem, message=f"warning: {problem.message}") for problem in found])


def explained_json(spec: WorkflowSpec, checked: "Checked", starts: Mapping[NodeId, str], told: Told) -> JsonObject:
    """Return the same as data: each node's range, the longest way through, and what is odd about the plan."""
    calls = {node_id: float(item.calls_high) for node_id, item in checked.estimates.items()}
    shape = timing(checked.edges, calls)
    nodes: JsonObject = {node_id: {**asdict(item)} for node_id, item in checked.estimates.items()}
    return {
        "name": spec.name,
        "planner": spec.planner_rung if checked.plan is None else None,
        "planner_calls": [*checked.planner_calls] if checked.planner_calls else None,
        "nodes": nodes,
        "payoffs": {node_id: [asdict(each) for each in found] for node_id, found in checked.payoffs.items()},
        "longest": [str(node_id) for node_id in shape.path],
        "parallelism": shape.parallelism,
        "past": told.as_json(),
        "starts": {str(node_id): why for node_id, why in starts.items()},
        "findings": [finding.as_json() for finding in checked.findings],
    }


def _nodes(plan: Plan, checked: "Checked", told: Told) -> RenderableType:
    order = in_order(plan.nodes, checked.edges)
    lines = rails(order, checked.edges)
    grid = Grid(box=None, padding=(0, 1), expand=True, header_style="bright_black")
    seen = ("time (runs)", "passed") if told.took else ()
    for name in ("node", "model", "calls", "cost", *seen):
        grid.add_column(name, no_wrap=True, overflow="ellipsis", max_width=40)
    for name, ratio in (("tools", 2), ("checks", 3), ("goal", 4)):
        grid.add_column(name, ratio=ratio, no_wrap=True, overflow="ellipsis")
    for node_id in order:
        node = plan.nodes[node_id]
        front = (lines[node_id] if lines else MARK).replace(MARK, "○")
        estimate = checked.estimates.get(node_id)
        grid.add_row(
            Text.assemble((f"{front} ", "bright_black"), node_id, (_marks(node), "bright_black")),
            Text(estimate.rung or node.kind if estimate else node.kind, "magenta"),
            Text(count_range(estimate.calls_low, estimate.calls_high) if estimate else ""),
            Text(_cost(estimate, told.took.get(node_id))),
            *((Text(told.time(node_id)), Text(told.passed(node_id))) if seen else ()),
            Text(_grants(node)),
            Text(", ".join(checks_of(node)), "bright_black"),
            Text(one_line(goal_of(node)), "bright_black"),
        )
    return grid


def _cost(estimate: "Estimate | None", took: "Took | None") -> str:
    """Return what a node cost in past runs, else what it may by the prices."""
    if estimate is None or not estimate.rung:
        return ""
    return usd_range(took.usd.low, took.usd.high) if took else usd_range(estimate.usd_low, estimate.usd_high)


def _marks(node: Node) -> str:
    marks = {
        "per element": node.map is not None,
        "write": node.effect == "write",
        "approve": node.approve,
        "when": node.when is not None,
    }
    return "".join(f" {mark}" for mark, holds in marks.items() if holds)


def _grants(node: Node) -> str:
    return node.tool or ", ".join(grant.tool + (" (fixed)" if grant.args else "") for grant in node.tools)


def checks_of(node: Node) -> list[str]:
    """Name a node's checks, each in a few words."""
    named = ["schema"] if node.output is not None else []
    named += [_check(check) for check in node.checks]
    if node.agree:
        named.append(f"agree {node.agree.quorum} of {node.agree.samples}")
    return named


def _check(check: Check) -> str:
    match check:
        case ExprCheck(expr=expr):
            return one_line(expr, 60)
        case RegexCheck(pattern=pattern):
            return f"regex {one_line(pattern, 40)}"
        case TextCheck(text=name):
            return name
        case FunctionCheck(ref=ref):
            return ref
        case CodeCheck():
            return "code"
        case JudgeCheck():
            return "judge"


def _sums(spec: WorkflowSpec, plan: Plan, checked: "Checked", told: Told) -> RenderableType:
    estimates = [checked.estimates[n] for n in plan.nodes if n in checked.estimates]
    calls = {node_id: float(estimate.calls_high) for node_id, estimate in checked.estimates.items()}
    shape = timing(checked.edges, calls)
    maps = [node_id for node_id, node in plan.nodes.items() if node.map is not None]
    low, high = sum(e.calls_low for e in estimates), sum(e.calls_high for e in estimates)
    lines = [
        *([("longest", f"{' → '.join(shape.path)}  (at most {shape.makespan_s:,.0f} calls)")] if told.untold else []),
        ("calls", count_range(low, high) + _beside(spec.budget.calls)),
        (
            "cost",
            _seen_usd(plan, checked, told)
            + _sum_usd(estimates)
            + _beside(usd(spec.budget.usd) if spec.budget.usd else None),
        ),
    ]
    if len([node for node in plan.nodes.values() if node.kind == "worker"]) > 2 and shape.parallelism < _CHAIN:
        lines.append(("advice", _ONE_WORKER))
    lines += [
        ("pays", f"{node_id}, after a failed check: {', '.join(str(each) for each in found)}")
        for node_id, found in checked.payoffs.items()
    ]
    if maps := [node_id for node_id in maps if node_id not in told.took]:
        lines.append(("maps", f"{', '.join(maps)}: counted for one element; the list's length is known only later"))
    return Group(*(Text.assemble((f"{name:<8}", "bold"), one_line(text, 600)) for name, text in lines))


def _seen_usd(plan: Plan, checked: "Checked", told: Told) -> str:
    """Say what the nodes cost in past runs, where each that asks a model was run."""
    asked = [node_id for node_id in plan.nodes if node_id in checked.estimates and checked.estimates[node_id].rung]
    took = [told.took[node_id].usd for node_id in asked if node_id in told.took]
    if not took or len(took) < len(asked):
        return ""
    return f"{usd_range(sum(each.low for each in took), sum(each.high for each in took))} in past runs; by the prices "


def _sum_usd(estimates: "Iterable[Estimate]") -> str:
    asked = [estimate for estimate in estimates if estimate.rung]
    lows = [estimate.usd_low for estimate in asked if estimate.usd_low is not None]
    highs = [estimate.usd_high for estimate in asked if estimate.usd_high is not None]
    if len(lows) < len(asked) or len(highs) < len(asked):
        return "unknown: a model has no known price"
    return usd_range(sum(lows), sum(highs))


def _beside(cap: object) -> str:
    return f" of {cap} allowed" if cap is not None else ""


def _planner(spec: WorkflowSpec, calls: tuple[int, int]) -> RenderableType:
    planner = spec.planner
    lines = [
        ("plan", f"written at run time by {spec.planner_rung or 'no model: none is configured'}"),
        ("calls", f"{count_range(*calls)} for the plan{_agreed(spec)}"),
        ("nodes", f"at most {planner.max_nodes}, {planner.repairs} rounds to repair a rejected plan"),
        *([("single", _SINGLE)] if planner.single == "auto" else []),
        ("route", f"{_route(spec)}"),
        ("approve", {"never": "nothing", "writes": "nodes that write", "plan": "the plan"}[planner.approve]),
    ]
    return Group(*(Text.assemble((f"{name:<8}", "bold"), text) for name, text in lines))


def _agreed(spec: WorkflowSpec) -> str:
    agree = spec.planner.agreement
    if agree is None:
        return ""
    voices = ", ".join(str(agree.voice(number)) for number in range(agree.samples))
    return f": {agree.quorum} of at most {agree.samples} must be the same ({voices}); no node starts before"


def _route(spec: WorkflowSpec) -> str:
    route = spec.route
    steps = [
        f"{route.repair} repairs of a broken reply",
        f"{route.retry} retries",
        f"vote {route.vote.quorum} of {route.vote.samples}" if route.vote else "",
        "promote" if route.promote else "",
        f"{route.replan} replans",
        route.then,
    ]
    return ", ".join(step for step in steps if step)


def _models(spec: WorkflowSpec) -> RenderableType:
    if not spec.models:
        return Text("models  none", "bold")
    grid = Grid(box=None, padding=(0, 1), header_style="bold")
    for name in ("models", "", "in $/M", "out $/M", "at once", "planner"):
        grid.add_column(name, justify="right" if "$" in name else "left")
    rungs = [name for name in spec.rungs if name in spec.models]
    planner = spec.planner_rung if spec.auto or spec.planner.model else None
    for name in dict.fromkeys(chain(rungs, spec.models)):
        rung = spec.models[name]
        step = f"{rungs.index(name) + 1}. {name}" if name in rungs else f"   {name}"
        mark = "plans" if name == planner else ""
        grid.add_row(Text(step, "magenta"), Text(rung.model), *_price(rung), str(rung.max_parallel), mark)
    return grid


def _price(rung: RungSpec) -> tuple[str, str]:
    from planloom.models.prices import price_of

    price = price_of(rung)
    if price is None:
        return "unknown", "unknown"
    return f"{price.input * _MILLION:,.2f}", f"{price.output * _MILLION:,.2f}"


def _tools(spec: WorkflowSpec, checked: "Checked") -> list[RenderableType]:
    kinds = ("python", "files", "http", "sql", "mcp", "ref")
    named: list[str] = []
    for name, tool in spec.tools.items():
        facts = [next((kind for kind in kinds if getattr(tool, kind) is not None), "")]
        effects = {operation.effect for operation in checked.tools.get(name, ())}
        facts += [next(effect for effect in ("write", "read", "pure") if effect in effects)] if effects else []
        named.append(f"{name} ({', '.join(facts)})")
    return [Text.assemble(("tools   ", "bold"), ", ".join(named))] if named else []


def _budget(budget: BudgetSpec) -> str:
    caps = [
        usd(budget.usd) if budget.usd else "",
        f"{tokens(budget.tokens)} tokens" if budget.tokens else "",
        f"{budget.calls:,} calls" if budget.calls else "",
        seconds(budget.time) if budget.time else "",
    ]
    return ", ".join(cap for cap in caps if cap) or "no caps"
