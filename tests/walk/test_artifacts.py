"""Large values in a run: models see handles, tools and code see the values."""

import hashlib
import json
from pathlib import Path

import pytest
from support import MakeWorkflow, ServeModel

from planloom.cli import records
from planloom.core.errors import RunError
from planloom.core.events import ToolCalled
from planloom.engine import Engine

LINE = "record 0123456789 with some words in it\n"
LARGE = LINE * (5_000_000 // len(LINE)) + "the needle"
DIGEST = hashlib.sha256(LARGE.encode()).hexdigest()


def fetch() -> str:
    """Return a large text."""
    return LARGE


def measure(text: str) -> int:
    """Return the length of a text."""
    return len(text)


def rules(*items: object) -> str:
    return json.dumps({"rehearsal": 1, "rules": [*items]})


def call(name: str, results: int, **args: object) -> object:
    return {"when": {"tool_results": results}, "tool_calls": [{"name": name, "args": args}]}


async def test_a_large_tool_result_reaches_a_worker_as_a_handle(
    make_workflow: MakeWorkflow, serve_model: ServeModel, tmp_path: Path
) -> None:
    workflow = make_workflow(
        "nodes: {find: {goal: Find it, tools: [fetch, measure]}}\noutput: '${nodes.find.output}'\n"
    )
    server = await serve_model(
        rules(
            call("fetch", 0),
            call("artifact.read", 1, artifact="{{tool_result.artifact}}", offset=len(LARGE) - 10),
            call("measure", 2, text={"artifact": f"sha256:{DIGEST}"}),
            {"text": "{{tool_result}}"},
        )
    )
    tools = {"fetch": fetch, "measure": measure}
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url, tools=tools) as engine:
        result = await engine.run(workflow)
        called = [event for event in await engine.history("last") if isinstance(event, ToolCalled)]
        assert await engine.artifact("last", f"sha256:{DIGEST}") == LARGE.encode()
        with pytest.raises(RunError, match="has no artifact"):
            await engine.artifact("last", "sha256:00")
    assert (result.status, result.output) == ("done", str(len(LARGE))), result.error
    assert [(event.tool, event.error) for event in called] == [("fetch", ""), ("artifact.read", ""), ("measure", "")]
    assert result.usage.input_tokens < 10_000
    assert (tmp_path / "j.db").stat().st_size < 3 * len(LARGE)


async def test_the_command_prints_an_artifact_or_writes_it_to_a_file(
    make_workflow: MakeWorkflow, serve_model: ServeModel, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    server = await serve_model(rules(call("fetch", 0), {"text": "fetched"}))
    journal = str(tmp_path / "j.db")
    async with Engine(journal=journal, base_url=server.base_url, tools={"fetch": fetch}) as engine:
        await engine.run(make_workflow("nodes: {find: {goal: Find it, tools: [fetch]}}\n"))
    await records.artifact("last", f"sha256:{DIGEST}", journal, None)
    assert capsysbinary.readouterr().out == LARGE.encode()
    await records.artifact("last", DIGEST, journal, tmp_path / "out.txt")
    assert capsysbinary.readouterr().out == b""
    assert (tmp_path / "out.txt").read_bytes() == LARGE.encode()
    with pytest.raises(RunError, match="has no artifact"):
        await records.artifact("last", "sha256:00", journal, None)


async def test_code_gets_the_value_and_a_worker_behind_it_the_handle(
    make_workflow: MakeWorkflow, serve_model: ServeModel, tmp_path: Path
) -> None:
    workflow = make_workflow(
        """
nodes:
  get: {tool: fetch}
  count: {code: "text.count('needle')", with: {text: "${nodes.get.output}"}}
  read: {goal: Read it, with: {text: "${nodes.get.output}", n: "${nodes.count.output}"}}
output: ["${nodes.count.output}", "${nodes.read.output}"]
"""
    )
    server = await serve_model(
        rules(
            call("artifact.read", 0, artifact="{{input.text.artifact}}", offset=len(LARGE) - 6, limit=100),
            {"text": "{{tool_result.text}}"},
        )
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url, tools={"fetch": fetch}) as engine:
        result = await engine.run(workflow)
    assert (result.status, result.output) == ("done", [1, "needle"]), result.error
    assert result.usage.input_tokens < 5_000


@pytest.mark.parametrize("name", [f"sha256:{DIGEST}", "sha256:00", "", "../../etc/passwd"])
async def test_a_node_cannot_read_an_artifact_that_it_was_not_given(
    make_workflow: MakeWorkflow, serve_model: ServeModel, tmp_path: Path, name: str
) -> None:
    workflow = make_workflow(
        """
inputs: {other: {type: string, default: ""}}
nodes:
  first: {goal: Fetch, tools: [fetch]}
  second: {goal: Guess, tools: [other], needs: [first]}
output: "${nodes.second.output}"
"""
    )
    server = await serve_model(
        rules(
            {"when": {"node": "first", "tool_results": 0}, "tool_calls": [{"name": "fetch", "args": {}}]},
            {"when": {"node": "first"}, "text": "fetched"},
            {"when": {"tool_results": 0}, "tool_calls": [{"name": "other", "args": {}}]},
            {"when": {"tool_results": 1}, "tool_calls": [{"name": "artifact.read", "args": {"artifact": name}}]},
            {"text": "{{tool_result}}"},
        )
    )

    def other() -> list[int]:
        """Return another large value."""
        return list(range(100_000))

    tools = {"fetch": fetch, "other": other}
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url, tools=tools) as engine:
        result = await engine.run(workflow)
        assert await engine.artifact("last", DIGEST) == LARGE.encode()
    assert result.status == "done", result.error
    assert str(result.output).startswith("error: this node was given no artifact")
