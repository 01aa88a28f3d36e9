"""Runs as traces, seen by a collector that takes OTLP over HTTP."""

import asyncio
import importlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from otlp import Collector, collecting
from programs import PLANLOOM, begin
from support import MakeWorkflow, ServeModel

from planloom import Engine, Workflow
from planloom.core.plan import RunId
from planloom.telemetry import Traces, names, trace_id_of

SCRIPT = """
rehearsal: 1
rules:
  - {when: {model: mini, node: add}, json: {sum: 3}}
  - {when: {model: big, node: add}, json: {sum: 4}}
"""
FLOW = """
nodes:
  two: {code: "2"}
  add:
    goal: Add two and two.
    with: {n: "${nodes.two.output}"}
    output: {type: object, properties: {sum: {type: integer}}, required: [sum]}
    checks: [{expr: "output['sum'] == 4"}]
output: "${nodes.add.output.sum}"
"""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        yield found


async def test_a_run_is_one_trace_with_the_conventions_names(
    collector: Collector, serve_model: ServeModel, make_workflow: MakeWorkflow
) -> None:
    model = await serve_model(SCRIPT)
    async with Engine(journal=":memory:", base_url=model.base_url, observers=[Traces()]) as engine:
        result = await engine.run(make_workflow(FLOW))
    assert (result.status, result.output) == ("done", 4), result.error
    assert {got.span.trace_id.hex() for got in collector.spans} == {trace_id_of(result.run_id)}
    tree = collector.tree()
    assert tree[0] == "invoke_workflow test"
    assert [line for line in tree if "node" in line] == ["  node two", "  node add"]
    assert tree.count("    invoke_agent add") >= 2
    assert "      check expr" in tree
    right = collector.named("chat big")[0]
    assert right.span.kind == ProtoSpan.SPAN_KIND_CLIENT
    told = right.attributes
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "openai"
    assert told["gen_ai.request.model"] == "big"
    assert told["gen_ai.response.finish_reasons"] == ["stop"]
    assert isinstance(told["gen_ai.response.model"], str)
    assert {told[names.RUN_ID], told[names.NODE_ID], told[names.RUNG]} == {result.run_id, "add", "big"}
    tokens = sum(int(str(got.attributes["gen_ai.usage.input_tokens"])) for got in collector.named("chat"))
    cost = sum(float(str(got.attributes[names.COST_USD])) for got in collector.named("chat"))
    assert tokens == result.usage.input_tokens > 0
    assert cost == pytest.approx(result.cost_usd)
    root = collector.named("invoke_workflow")[0]
    assert (root.attributes[names.RUN_STATUS], root.attributes[names.COST_USD]) == ("done", pytest.approx(cost))
    assert root.resource["service.name"] == "planloom"
    assert all(got.span.start_time_unix_nano <= got.span.end_time_unix_nano for got in collector.spans)


async def test_a_failed_attempt_carries_its_kind_and_no_content(
    collector: Collector, serve_model: ServeModel, make_workflow: MakeWorkflow
) -> None:
    model = await serve_model("rehearsal: 1\nrules: [{text: mauve}]")
    flow = "nodes: {say: {goal: Name a Xanadu colour., checks: [{expr: output == 'blue'}]}}"
    async with Engine(journal=":memory:", base_url=model.base_url, observers=[Traces(content=False)]) as engine:
        result = await engine.run(make_workflow(flow))
    assert result.status == "failed"
    attempts = collector.named("invoke_agent say")
    assert {got.attributes["error.type"] for got in attempts} == {"check"}
    assert {got.span.status.code for got in attempts} == {Status.STATUS_CODE_ERROR}
    assert collector.named("invoke_workflow")[0].attributes["error.type"] == "failed"
    marks = [mark.name for got in collector.named("node say") for mark in got.span.events]
    assert "decided" in marks
    wire = b"".join(collector.bodies)
    assert [word for word in (b"mauve", b"Xanadu", b"blue") if word in wire] == []


async def test_content_is_told_when_it_is_asked_for_and_secrets_are_not(
    collector: Collector, make_workflow: MakeWorkflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    flow = """
tools:
  shop: {http: {base_url: "https://shop.example", allow: ["GET /*"], headers: {X-Token: "${env:SHOP_TOKEN}"}}}
nodes: {keep: {tool: keep, with: {text: "hello s3cret-token"}}}
"""

    async def keep(text: str) -> str:
        return f"kept {text}"

    workflow = Workflow.from_text(f"version: 1\nname: keeps{flow}", env={"SHOP_TOKEN": "s3cret-token"})
    async with Engine(journal=":memory:", tools={"keep": keep}, observers=[Traces()]) as engine:
        result = await engine.run(workflow)
    assert result.status == "done", result.error
    (called,) = collector.named("execute_tool keep")
    assert "hello" in str(called.attributes["gen_ai.tool.call.arguments"])
    assert "kept hello" in str(collector.named("node keep")[0].attributes[names.NODE_OUTPUT])
    assert b"s3cret" not in b"".join(collector.bodies)


def test_every_name_of_the_conventions_is_one_of_the_installed_table() -> None:
    table = importlib.import_module("opentelemetry.semconv._incubating.attributes.gen_ai_attributes")
    known = {value for value in vars(table).values() if isinstance(value, str)}
    ours = {value for value in vars(names).values() if isinstance(value, str) and value.startswith("gen_ai.")}
    assert len(ours) > 10
    assert ours <= known


async def test_an_observer_that_fails_does_not_harm_the_run(make_workflow: MakeWorkflow) -> None:
    class Broken:
        seen = 0

        def watch(self, run_id: RunId, past: int) -> "Broken":
            return self

        def __call__(self, event: object) -> None:
            self.seen += 1
            raise ValueError("no disk")

        async def close(self) -> None:
            pass

    broken = Broken()
    async with Engine(journal=":memory:", observers=[broken]) as engine:
        assert (await engine.run(make_workflow('nodes: {one: {code: "1"}}', models=""))).status == "done"
    assert broken.seen == 1


def test_nothing_of_it_is_imported_when_it_is_off(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text('version: 1\nname: w\nnodes: {one: {code: "1"}}\n')
    program = (
        "import sys\nfrom planloom import run_sync\nassert run_sync('w.yaml').status == 'done'\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.exp', 'planloom.telemetry'))])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


GATES = """
import asyncio
from pathlib import Path


async def wait() -> str:
    \"\"\"Wait for a file.\"\"\"
    while not (Path(__file__).parent / "open").exists():
        await asyncio.sleep(0.02)
    return "open"
"""
SLOW = """
version: 1
name: slow
tools: {wait: {ref: "gates:wait"}}
nodes:
  first: {code: "1"}
  gate: {tool: wait, needs: [first]}
  last: {code: "2", needs: [gate]}
"""


def _has(journal: Path, kind: str, node: str) -> bool:
    if not journal.exists():
        return False
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchall():
            return False
        asked = "SELECT 1 FROM events WHERE type = ? AND node_id = ?"
        return bool(connection.execute(asked, (kind, node)).fetchall())


async def test_a_run_resumed_after_a_kill_goes_on_in_the_same_trace(collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "gates.py").write_text(GATES)
    (tmp_path / "slow.yaml").write_text(SLOW)
    args = ("--otel", "--journal", "j.db", "--plain")
    killed = begin(PLANLOOM, "run", "slow.yaml", *args, folder=tmp_path)
    while not _has(tmp_path / "j.db", "AttemptStarted", "gate"):
        assert killed.code is None
        await asyncio.sleep(0.02)
    await killed.kill()
    (tmp_path / "open").touch()
    desk = {**os.environ, "OTEL_SERVICE_NAME": "desk"}
    again = begin(PLANLOOM, "resume", "last", *args, folder=tmp_path, env=desk)
    assert await again.end() == 0, again.err
    kept = {got.span.span_id: got for got in collector.spans}  # what was cut off may come again, under its own id
    collector.spans[:] = kept.values()
    assert len({got.span.trace_id for got in kept.values()}) == 1
    assert collector.tree() == [
        "invoke_workflow slow",
        "  node first",
        "    attempt first",
        "  node gate",
        "    attempt gate",
        "  invoke_workflow slow",
        "    node gate",
        "      attempt gate",
        "        execute_tool wait",
        "    node last",
        "      attempt last",
    ]
    first, second = collector.named("invoke_workflow")
    assert {first.attributes["error.type"], second.attributes[names.RUN_STATUS]} == {"interrupted", "done"}
    assert second.resource["service.name"] == "desk"
