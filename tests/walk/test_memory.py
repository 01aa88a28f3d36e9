"""What one run keeps, later ones are shown: within a cap, and what is untrusted goes to no planner."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres import Postgres, served
from support import MakeWorkflow, ModelServer, ServeModel

from planloom.engine import Engine

SECRET = "the harbour closes at nine"


def rules(*items: object) -> str:
    return json.dumps({"rehearsal": 1, "rules": [*items]})


def prompts(server: ModelServer, *, role: str, node: str = "") -> list[str]:
    """What models of a role were sent, as it went over the wire: one text a request."""
    asked = [request for request in server.requests if request["role"] == role and node in ("", request["node"])]
    return [json.dumps(request["body"], ensure_ascii=False) for request in asked]


def section(prompt: str) -> str:
    return prompt.partition("# Remembered")[2].partition("\\n\\n# ")[0]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with served() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "j.db")
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh(abs(hash(request.node.name)))


FIND = """
inputs: {place: {type: string}}
memory: {recall: 3, tokens: 400}
nodes:
  find:
    goal: When does the ${inputs.place} close?
    remember: closing time of the ${inputs.place}
    recall: true
    checks: [{expr: "len(output) > 3"}]
output: "${nodes.find.output}"
"""


async def test_the_second_run_is_shown_what_the_first_one_kept(
    make_workflow: MakeWorkflow, serve_model: ServeModel, journal: str
) -> None:
    server = await serve_model(rules({"when": {"contains": "# Remembered"}, "text": "nine"}, {"text": SECRET}))
    async with Engine(journal=journal, base_url=server.base_url) as engine:
        first = await engine.run(make_workflow(FIND), {"place": "harbour"})
        second = await engine.run(make_workflow(FIND), {"place": "harbour"})
        (kept,) = await engine.memories("test").all()
    assert (first.output, second.output) == (SECRET, "nine"), (first.error, second.error)
    before, after = prompts(server, role="worker")
    assert "Remembered" not in before
    assert SECRET in section(after)
    assert first.run_id in section(after)
    assert (kept.subject, kept.value, kept.untrusted) == ("closing time of the harbour", "nine", ())
    assert (kept.origin.run_id, kept.origin.node_id, kept.origin.model) == (second.run_id, "find", "rehearsal/mini")
    assert kept.origin.checks == ("expr: len(output) > 3",)
