"""A provider's odd reply fails the node that asked, and nothing else."""

import json
from pathlib import Path

import pytest
from support import MakeWorkflow
from wire import Kit

from planloom.engine import Engine

USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def body(content: str = "hi", *, role: str = "assistant", usage: object = USAGE) -> str:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": role, "content": content}}
    return json.dumps(
        {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    )


ODD = {
    "half a surrogate": body("\ud800 hi"),
    "usage as text": body(usage={"prompt_tokens": "many", "completion_tokens": None}),
    "cached as text": body(usage={**USAGE, "prompt_tokens_details": {"cached_tokens": "3"}}),
    "another role": body(role="user"),
    "deep nesting": "[" * 100_000,
    "endless usage": body().replace('"prompt_tokens": 1', '"prompt_tokens": 1e999'),
}


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_reply_ends_no_more_than_its_node(make_workflow: MakeWorkflow, tmp_path: Path, name: str) -> None:
    models = 'models: {m: {model: "openai:m", retries: 0}}\n'
    workflow = make_workflow("nodes: {a: {goal: x}, b: {code: '1'}}\n", models=models)
    async with (
        Kit.provider(Kit.http(200, ODD[name])) as provider,
        Engine(journal=tmp_path / "j.db", base_url=provider.url) as engine,
    ):
        result = await engine.run(workflow)
        assert result.nodes["b"].state == "done"
        assert (await engine.runs(1))[0].status == result.status
    json.dumps(result.as_json(), allow_nan=False)


async def test_a_check_that_exits_fails_its_node(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("import sys\n\n\ndef quits(output):\n    sys.exit(1)\n")
    workflow = make_workflow("nodes: {a: {code: '1', checks: [{ref: 'checks:quits'}]}, b: {code: '1'}}\n", models="")
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(workflow)
    assert result.status == "partial"
    assert "SystemExit: 1" in result.error
