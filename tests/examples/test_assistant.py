"""The general workflow: a task in words, tools in a folder of the user's, reading from named hosts only."""

import json
from pathlib import Path

import pytest
from played import ROOT, Play

from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError
from planloom.engine import Engine

ASSISTANT = ROOT / "configs" / "assistant.yaml"


async def test_a_task_is_planned_computed_and_written_into_the_users_folder(play: Play) -> None:
    plan = {
        "nodes": [
            {"id": "primes", "goal": "How many primes are below 1000?", "tools": ["python"]},
            {
                "id": "save",
                "tool": "files.write",
                "with": {"path": "primes.txt", "text": "${nodes.primes.output}"},
                "effect": "write",
            },
        ],
        "output": {"answer": "${nodes.primes.output}"},
    }
    code = "sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, 1000))"
    rules = [
        {"when": {"role": "planner", "contains": "Count the primes"}, "json": plan},
        {"when": {"node": "primes", "tool_results": 0}, "tool_calls": [{"name": "python", "args": {"code": code}}]},
        {"when": {"node": "primes"}, "text": "There are {{tool_result.value}}."},
    ]
    task = {"task": "Count the primes below 1000 and write the answer to primes.txt."}
    played = await play(ASSISTANT, json.dumps({"rehearsal": 1, "rules": rules}), task)
    assert (played.result.status, played.result.output) == ("done", {"answer": "There are 168."})
    assert (played.folder / "planloom-workspace" / "primes.txt").read_text() == "There are 168."
    assert [request["model"] for request in played.server.requests] == ["gpt-5", "gpt-5-nano", "gpt-5-nano"]


async def test_a_worker_can_read_neither_other_folders_nor_other_hosts(play: Play) -> None:
    plan = {"nodes": [{"id": "look", "goal": "Look around.", "tools": ["files.read", "web.get"]}]}
    calls = [
        {"name": "files.read", "args": {"path": "../secret.txt"}},
        {"name": "web.get", "args": {"url": "https://en.wikipedia.org.example.com/"}},
        {"name": "web.get", "args": {"url": "http://127.0.0.1/"}},
    ]
    rules = [
        {"when": {"role": "planner"}, "json": plan},
        {"when": {"node": "look", "tool_results": 0}, "tool_calls": calls},
        {"when": {"node": "look"}, "text": "{{tool_results[0]}} | {{tool_results[1]}} | {{tool_results[2]}}"},
    ]
    played = await play(ASSISTANT, json.dumps({"rehearsal": 1, "rules": rules}), {"task": "Look around."})
    refused = str(played.result.output).split(" | ")
    assert [text.startswith("error: ") for text in refused] == [True, True, True]


def test_models_folder_and_cap_come_from_the_environment(tmp_path: Path) -> None:
    env = {
        "PWD": str(tmp_path),
        "PLANLOOM_BIG_MODEL": "qwen3-32b",
        "PLANLOOM_WORKSPACE": "notes",
        "PLANLOOM_BUDGET_USD": "null",
        "PLANLOOM_ALLOW": "https://www.example.com/*",
    }
    spec = Workflow.from_yaml(ASSISTANT, env=env).spec
    assert spec.models["big"].model == "openai:qwen3-32b"
    assert spec.tools["files"].files == f"{tmp_path}/notes"
    assert spec.budget.usd is None
    assert spec.tools["web"].http is not None
    assert "GET https://www.example.com/*" in spec.tools["web"].http.allow


async def test_without_a_key_or_a_server_it_says_which_variable_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
            await engine.run(Workflow.from_yaml(ASSISTANT), {"task": "anything"})
