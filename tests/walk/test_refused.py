"""Calls that a rule refuses: the same call again would be refused again, so there is no second one."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import MakeWorkflow

from planloom.core.events import EffectEnded
from planloom.core.json import JsonObject
from planloom.core.plan import NodeId
from planloom.engine import Engine


@dataclass(frozen=True)
class Case:
    id: str
    tool: JsonObject
    node: JsonObject
    told: str


def _post(url: str) -> JsonObject:
    return {"tool": "net.request", "effect": "write", "with": {"method": "POST", "url": url}}


_GIVEN: JsonObject = {
    "up": {"default": "../x"},
    "n": {"type": "integer", "default": 1},
    "b": {"default": "http://127.0.0.1:9/b"},
    "drop": {"default": "DROP TABLE t"},
}
"""What would be refused before the run if it stood in the nodes."""


_NET: JsonObject = {"http": {"allow": ["GET http://127.0.0.1:9/a*", "POST http://127.0.0.1:9/a"], "private": True}}
_GUARDED: JsonObject = {"http": {"allow": ["GET http://127.0.0.1:9/*"]}}
_DB: JsonObject = {"sql": {"url": "sqlite:///shop.db"}}
_DIR: JsonObject = {"files": {"root": "."}}

CASES = [
    Case("a path of no rule", _NET, _post("${inputs.b}"), "is not allowed; allowed: GET"),
    Case(
        "a private address",
        _GUARDED,
        {"tool": "net", "with": {"url": "http://127.0.0.1:9/"}},
        "`private: true`",
    ),
    Case("a forbidden verb", _DB, {"tool": "net.query", "with": {"sql": "${inputs.drop}"}}, "DROP is not allowed here"),
    Case("a path outside", _DIR, {"tool": "net.read", "with": {"path": "${inputs.up}"}}, "without `..`"),
    Case("wrong arguments", _DIR, {"tool": "net.read", "with": {"path": "${inputs.n}"}}, "path: "),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_tool_node_does_not_repeat_a_refused_call(
    make_workflow: MakeWorkflow, tmp_path: Path, case: Case
) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    body = {
        "inputs": _GIVEN,
        "route": {"retry": 3},
        "planner": {"approve": "never"},
        "tools": {"net": case.tool},
        "nodes": {"a": case.node},
    }
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(make_workflow(_yaml(body), models=""))
    assert result.status == "failed"
    assert case.told in result.error
    assert len(result.nodes[NodeId("a")].attempts) == 1
    assert [decision.action for decision in result.decisions] == ["stop"]


async def test_a_call_that_nobody_answers_names_tool_host_port_and_reason(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    net: JsonObject = {"http": {"allow": ["GET http://127.0.0.1:9/*"], "private": True}}
    node: JsonObject = {"tool": "net.get", "with": {"url": "http://127.0.0.1:9/"}}
    body: JsonObject = {"route": {"retry": 0}, "tools": {"net": net}, "nodes": {"a": node}}
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(make_workflow(_yaml(body), models=""))
    called = "tool 'net.get': GET http://127.0.0.1:9/"
    assert result.error == f"a: {called} failed: 127.0.0.1:9: connection refused"


async def test_a_refused_write_is_known_not_to_have_happened(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    node = _post("${inputs.b}")
    body: JsonObject = {"inputs": _GIVEN, "planner": {"approve": "never"}, "tools": {"net": _NET}, "nodes": {"a": node}}
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(make_workflow(_yaml(body), models=""))
        events = await engine.history(result.run_id)
    assert result.status == "failed", "nobody is asked whether it happened"
    assert [event.outcome for event in events if isinstance(event, EffectEnded)] == ["undone"]


def _yaml(body: JsonObject) -> str:
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in body.items())
