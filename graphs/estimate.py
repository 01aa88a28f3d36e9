"""What a plan will take, worked out before a token is spent: calls and cost for each node."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from planloom.configs.load import Workflow
from planloom.configs.nodes import to_nodes
from planloom.configs.schema_words import oddities
from planloom.configs.spec import RouteSpec, WorkflowSpec
from planloom.core.check import JudgeCheck
from planloom.core.errors import PlanError
from planloom.core.plan import Finding, Node, NodeId, Plan
from planloom.graphs.compile import compile_plan
from planloom.graphs.lint import Facts
from planloom.graphs.payoff import Payoff
from planloom.graphs.progress import ladder_of
from planloom.models.gateway import Rung
from planloom.models.prices import Price
from planloom.tools.base import Tool

_PROMPT_TOKENS = 350
_REPLY_TOKENS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Range for one node: one clean attempt at its first rung, up to the last rung with every call used."""

    calls_low: int
    calls_high: int
    usd_low: float | None
    """`None` when a price is not known."""
    usd_high: float | None
    rung: str
    """First rung; empty for a node that asks no model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A workflow that may run. `plan` is `None` when a planner will write it."""

    plan: Plan | None
    findings: tuple[Finding, ...]
    edges: Mapping[NodeId, frozenset[NodeId]]
    estimates: Mapping[NodeId, Estimate]
    tools: Mapping[str, tuple[Tool, ...]] = field(default_factory=dict[str, tuple[Tool, ...]])
    """Operations by every name that a grant may use."""
    payoffs: Mapping[NodeId, Sequence[Payoff]] = field(default_factory=dict[NodeId, Sequence[Payoff]])
    """What pays best after a failed check, for nodes of which the policy knows the chances."""
    planner_calls: tuple[int, int] | None = None
    """Fewest and most calls that writing the plan takes; `None` where it is written already."""


def check_workflow(workflow: Workflow, facts: Facts, rungs: Mapping[str, Rung]) -> Checked:
    """Compile a workflow's own plan and estimate it.

    Raises:
        PlanError: It must not run.
    """
    spec = workflow.spec
    _check_prices(workflow, rungs)
    if spec.auto:
        if spec.planner_rung is None:
            message = "there are no nodes, so a planner writes them, and needs a model; there is none under `models`"
            raise PlanError([Finding(code="unknown_model", field="models", message=message)])
        calls = _planner_calls(spec)
        return Checked(plan=None, findings=(), edges={}, estimates={}, tools=facts.tools, planner_calls=calls)
    prices = {name: rung.price for name, rung in rungs.items()}
    compiled = compile_plan(to_nodes(spec.nodes).values(), spec.output, facts)
    estimates = {node.id: estimate(node, spec.rungs, prices, spec.route) for node in compiled.plan.nodes.values()}
    least = sum(item.usd_low or 0.0 for item in estimates.values())
    if spec.budget.usd is not None and least > spec.budget.usd:
        message = f"the cheapest course of this plan costs about {least:.4f} USD; the cap is {spec.budget.usd:g}"
        raise PlanError([Finding(code="over_budget", field="budget.usd", message=message)])
    return Checked(
        plan=compiled.plan,
        findings=compiled.warnings,
        edges=compiled.deps,
        estimates=estimates,
        tools=facts.tools,
    )


def odd_inputs(spec: WorkflowSpec) -> Iterator[Finding]:
    """Yield what is odd about the schemas of a workflow's inputs."""
    for name, given in spec.inputs.items():
        for place, message in oddities(given.as_schema(), f"inputs.{name}"):
            yield Finding(code="bad_schema", field=place, message=message, fatal=False)


def _planner_calls(spec: WorkflowSpec) -> tuple[int, int]:
    """Return the fewest and the most calls that writing the plan takes: more drafts than one are compared."""
    agree, each = spec.planner.agreement, 1 + spec.planner.repairs
    if agree is None:
        return 1, each
    return agree.quorum, each * (agree.samples + len(spec.stronger_planners))


def _check_prices(workflow: Workflow, rungs: Mapping[str, Rung]) -> None:
    """A money cap means nothing where a price is not known.

    Raises:
        PlanError: A rung's price is not known and there is a money cap.
    """
    spec = workflow.spec
    capped = spec.budget.usd is not None or any(node.budget_usd for node in spec.nodes.values())
    findings = [
        Finding(
            code="no_price",
            field=f"models.{name}.model",
            message=f"no price is known for {rung.model!r}, and there is a money cap; set `price`",
        )
        for name, rung in rungs.items()
        if capped and rung.price is None
    ]
    if findings:
        raise PlanError(findings)


def estimate(node: Node, ladder: tuple[str, ...], prices: Mapping[str, Price | None], policy: RouteSpec) -> Estimate:
    """Return the range for one node (for one element of a map), without replans; `prices` are those of the rungs."""
    climb, start = ladder_of(node, ladder)
    judges = [check.model or ladder[-1] for check in node.checks if isinstance(check, JudgeCheck) and ladder]
    if not climb and not judges:
        return Estimate(calls_low=0, calls_high=0, usd_low=0.0, usd_high=0.0, rung="")
    voices = (_voices(node, climb[start]) if climb else []) + judges * (node.agree.quorum if node.agree else 1)
    most = _attempts(node, len(climb) - start, policy) * ((node.max_calls if climb else 0) + len(judges))
    size = len(json.dumps([node.goal, dict(node.inputs), dict(node.output or {})])) // 4 + _PROMPT_TOKENS
    low = [price.worst(size, _REPLY_TOKENS) for name in voices if (price := prices.get(name))]
    tops = {*climb[-1:], *judges, *(voices if node.panel is not None else ())}
    high = [price.worst(size * 4, _REPLY_TOKENS * 10) for name in tops if (price := prices.get(name))]
    return Estimate(
        calls_low=len(voices),
        calls_high=most,
        usd_low=sum(low) if len(low) == len(voices) else None,
        usd_high=most * max(high) if len(high) == len(tops) else None,
        rung=climb[start] if climb else "",
    )


def _attempts(node: Node, rungs: int, policy: RouteSpec) -> int:
    """Return how many results are asked for at most, samples counted one by one: all rungs, retries, votes."""
    samples = node.agree.samples if node.agree else 1
    vote = policy.vote.to_agree(node.effort).samples if policy.vote and rungs else 0
    return (samples * (1 + policy.retry) + vote) * max(1, rungs if policy.promote else 1)


def _voices(node: Node, rung: str) -> list[str]:
    """Return the rungs that one clean attempt asks, one for each call: a panel's agrees in its first round."""
    if node.panel is None:
        return [rung] * (node.agree.quorum if node.agree else 1)
    return [name or rung for name in (*(member.model for member in node.panel.members), node.panel.moderator)]
