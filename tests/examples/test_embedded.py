"""The examples in Python: models and tools of one's own, and the engine inside a FastAPI service."""

import importlib.util
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from played import ROOT, without_pauses
from ports import on_port
from service_support import raw_events
from support import WAIT_S


def load(path: Path) -> ModuleType:
    """Import an example from its file."""
    spec = importlib.util.spec_from_file_location(f"example_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_models_and_tools_from_python_run_through_checks_and_ladder(capsys: pytest.CaptureFixture[str]) -> None:
    result = await load(ROOT / "examples" / "python" / "run.py").main()
    assert (result.status, result.output) == ("done", "Ben ran the fastest lap, in 58.9 s.")
    assert [decision.action for decision in result.decisions] == ["promote"]
    assert [attempt.rung for attempt in result.nodes["best"].attempts] == ["mini", "big"]
    assert [line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "laps by the tool",
        "best by mini",
        "best by big",
        "done",
    ]


async def test_a_workflow_is_a_node_of_a_graph_and_a_graph_its_tool() -> None:
    state = await load(ROOT / "examples" / "langgraph" / "run.py").main()
    assert state["answer"] == "What is known: Bern is old; Bern is large."


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    script = tmp_path / "script.yaml"
    script.write_text(without_pauses(ROOT / "examples" / "programming" / "rehearsal.yaml"), encoding="utf-8")
    monkeypatch.setenv("PLANLOOM_REHEARSAL", str(script))
    monkeypatch.chdir(tmp_path)
    return load(ROOT / "examples" / "fastapi" / "app.py")


async def test_a_run_started_over_http_goes_on_and_can_be_followed(service: ModuleType, tmp_path: Path) -> None:
    async with on_port(service.app) as url, httpx.AsyncClient(base_url=url, timeout=WAIT_S) as http:
        assert (await http.get("/")).json() == {"shop": "open"}
        started = await http.post("/v1/runs", json={"workflow": "programming"})
        assert started.status_code == 202, started.text
        run_id = started.json()["run_id"]
        events = await raw_events(url, "", run_id)
        assert events[-1][1]["type"] == "RunEnded"
        record = (await http.get(f"/v1/runs/{run_id}")).json()
    assert (record["status"], record["rehearsal"]) == ("done", True)
    assert (tmp_path / "planloom-programming" / "spans.py").is_file()


async def test_wrong_inputs_and_unknown_runs_are_the_callers_fault(service: ModuleType) -> None:
    async with on_port(service.app) as url, httpx.AsyncClient(base_url=url, timeout=WAIT_S) as http:
        wrong = await http.post("/v1/runs", json={"workflow": "programming", "inputs": {"topic": "x"}})
        unknown = await http.get("/v1/runs/none")
    assert (wrong.status_code, unknown.status_code) == (422, 404)
    assert "topic" in wrong.json()["errors"][0]["detail"]
