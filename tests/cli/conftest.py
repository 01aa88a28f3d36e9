"""A run told event by event, and the command line called as a user calls it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from planloom.cli import main
from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.outcome import Evidence, Failed, FailureKind, Usage
from planloom.core.plan import Node, NodeId, Plan, RunId
from planloom.core.view import RunView

START = 1000.0


@dataclass
class Story:
    """Events of a run, in order; times are seconds since its start."""

    events: list[ev.AnyEvent] = field(default_factory=list)

    def begin(self, *nodes: Node, rehearsal: bool = False, budget: dict[str, Json] | None = None) -> "Story":
        workflow: dict[str, Json] = {"budget": dict(budget)} if budget else {}
        self.events += [
            ev.RunStarted(
                at=START,
                run_id=RunId("r1"),
                name="flights",
                workflow=workflow,
                base_dir=".",
                inputs={},
                rehearsal=rehearsal,
            ),
            ev.PlanReady(at=START, plan=Plan(version=1, nodes={n.id: n for n in nodes}), purpose="plan"),
        ]
        return self

    def attempt(self, node: str, number: int, rung: str, start: float) -> "Story":
        self.events.append(
            ev.AttemptStarted(
                at=START + start,
                node_id=NodeId(node),
                attempt=number,
                rung=rung,
                plan_version=1,
                input_digest="d",
            )
        )
        return self

    def call(self, node: str | None, number: int, rung: str, end: float, usd: float) -> "Story":
        self.events.append(
            ev.CallEnded(
                at=START + end,
                call_id=f"{node}-{number}",
                node_id=NodeId(node) if node else None,
                attempt=number,
                rung=rung,
                model=f"model-{rung}",
                usage=Usage(input_tokens=900, output_tokens=100, calls=1),
                cost_usd=usd,
                seconds=1.0,
            )
        )
        return self

    def fails(self, node: str, number: int, end: float, message: str = "too small") -> "Story":
        evidence = (Evidence(check="expr: output > 3", passed=False, expected="output > 3", found="2"),)
        failed = Failed(kind=FailureKind.CHECK, message=message, evidence=evidence)
        self.events.append(
            ev.AttemptEnded(
                at=START + end,
                node_id=NodeId(node),
                attempt=number,
                seconds=1.0,
                evidence=evidence,
                failed=failed,
            )
        )
        return self

    def decides(self, node: str, number: int, action: ev.Action, at: float, rung: str = "") -> "Story":
        self.events.append(
            ev.Decided(
                at=START + at,
                node_id=NodeId(node),
                attempt=number,
                action=action,
                reason="output is 2",
                rung=rung,
            )
        )
        return self

    def commits(self, node: str, number: int, end: float, output: Json = None) -> "Story":
        passed = (Evidence(check="schema", passed=True),)
        self.events += [
            ev.AttemptEnded(at=START + end, node_id=NodeId(node), attempt=number, seconds=1.0, evidence=passed),
            ev.NodeCommitted(
                at=START + end,
                node_id=NodeId(node),
                plan_version=1,
                input_digest="d",
                output=output,
                attempt=number,
            ),
        ]
        return self

    def gives_up(self, node: str, end: float, message: str) -> "Story":
        failed = Failed(kind=FailureKind.CHECK, message=message)
        self.events.append(ev.NodeFailed(at=START + end, node_id=NodeId(node), plan_version=1, failed=failed))
        return self

    def ends(self, status: ev.Status, end: float, output: Json = None, error: str = "") -> "Story":
        self.events.append(ev.RunEnded(at=START + end, status=status, output=output, error=error))
        return self

    @property
    def view(self) -> RunView:
        return RunView(self.events)


def node(node_id: str, *reads: str, **more: object) -> Node:
    inputs: dict[str, Json] = {name: f"${{nodes.{name}.output}}" for name in reads}
    return Node(id=NodeId(node_id), goal=f"Goal of {node_id}", inputs=inputs, **more)  # type: ignore[arg-type]


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def make_node() -> Callable[..., Node]:
    return node


@pytest.fixture
def flights() -> Story:
    """A run in full flight: one node retried and promoted, a map half done, one node waiting."""
    told = Story().begin(
        node("load"),
        node("delays", "load"),
        node("cities", "load", map="${nodes.load.output}"),
        node("report", "delays", "cities"),
        rehearsal=True,
        budget={"usd": 1.5, "calls": 200, "tokens": "2M"},
    )
    told.attempt("load", 1, "mini", 0.0).call("load", 1, "mini", 1.0, 0.001).commits("load", 1, 1.0, [1, 2])
    told.attempt("delays", 1, "mini", 1.0).call("delays", 1, "mini", 2.0, 0.001).fails("delays", 1, 2.0)
    told.decides("delays", 1, "retry", 2.0).attempt("delays", 2, "mini", 2.0).fails("delays", 2, 3.0)
    told.decides("delays", 2, "promote", 3.0, "big").attempt("delays", 3, "big", 3.0)
    told.events.append(ev.NodeExpanded(at=START + 1.0, node_id=NodeId("cities"), elements=3))
    told.attempt("cities[0]", 1, "mini", 1.0).commits("cities[0]", 1, 2.0)
    return told.attempt("cities[1]", 1, "mini", 1.0)


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Call the command line in an empty folder, with no key in the environment."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "PLANLOOM_JOURNAL", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)

    def call(*args: str) -> Ran:
        with pytest.raises(SystemExit) as left:
            main([str(arg) for arg in args])
        printed = capsys.readouterr()
        code = left.value.code
        return Ran(code if isinstance(code, int) else 0, printed.out, printed.err)

    return call
