"""Log records of runs: what stands in them, how they are written, and that nobody's set-up is touched."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import MakeWorkflow

from planloom import Engine
from planloom.cli import main
from planloom.core.secrets import Secrets
from planloom.telemetry import Logs, formatter, trace_id_of

TWO = """
nodes:
  good: {code: "1 + 1"}
  bad: {code: "1 / 0", needs: [good]}
"""


@contextmanager
def written(style: str, secrets: Secrets | None = None) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger whose records are written by our formatter."""
    out, log = io.StringIO(), logging.getLogger("a.library")
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter(style, secrets=secrets))  # type: ignore[arg-type]
    log.addHandler(handler)
    try:
        yield log, out
    finally:
        log.removeHandler(handler)


async def test_each_event_is_a_record_with_its_ids(
    make_workflow: MakeWorkflow, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="planloom.run")
    handlers = list(logging.getLogger("planloom").handlers)
    async with Engine(journal=":memory:", observers=[Logs()]) as engine:
        handle = await engine.submit(make_workflow(TWO, models=""), tenant="acme")
        result = await handle.result()
    found = [record.__dict__ for record in caplog.records if record.name == "planloom.run"]
    assert [item["msg"] for item in found][:3] == ["run-started", "plan-ready", "attempt-started"]
    common = {"run": result.run_id, "tenant": "acme", "workflow": "test", "trace_id": trace_id_of(result.run_id)}
    assert all(item.items() >= common.items() for item in found)
    failed = next(item for item in found if item["msg"] == "node-failed")
    assert (failed["levelname"], failed["node"], failed["failure"]) == ("WARNING", "bad", "tool")
    assert [item["levelname"] for item in found if item["msg"] == "run-ended"] == ["ERROR"]
    assert {(item["node"], item["attempt"]) for item in found if item["msg"] == "attempt-ended"} == {
        ("good", 1),
        ("bad", 1),
    }
    assert not any("output" in item for item in found)
    assert logging.getLogger("planloom").handlers == handlers


async def test_a_resumed_run_is_logged_from_where_it_goes_on(
    make_workflow: MakeWorkflow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Engine(journal=tmp_path / "j.db") as engine:
        waiting = await engine.run(make_workflow('nodes: {a: {code: "1", approve: true}}', models=""))
    caplog.set_level(logging.INFO, logger="planloom.run")
    async with Engine(journal=tmp_path / "j.db", observers=[Logs()]) as engine:
        await engine.resume(waiting.run_id, {"a": True})
    assert [record.msg for record in caplog.records if record.name == "planloom.run"] == [
        "run-resumed",
        "approval-given",
        "attempt-ended",
        "node-committed",
        "run-ended",
    ]
    assert all(record.workflow == "test" for record in caplog.records if record.name == "planloom.run")


def test_what_any_library_logs_is_one_json_object_a_line_without_secrets() -> None:
    with written("json", Secrets(["hunter2hunter2"])) as (log, out):
        try:
            raise ValueError("hunter2hunter2 is wrong")
        except ValueError:
            log.exception("%s failed\nbadly", "sending", extra={"url": "https://x/?k=hunter2hunter2", "n": {1: float}})
    assert out.getvalue().count("\n") == 1
    told = json.loads(out.getvalue())
    assert list(told)[:4] == ["timestamp", "level", "logger", "event"]
    assert (told["level"], told["logger"], told["event"]) == ("error", "a.library", "sending failed\nbadly")
    assert (told["url"], told["n"]) == ("https://x/?k=***", {"1": "<class 'float'>"})
    assert "ValueError: *** is wrong" in told["exception"]


def test_text_cannot_begin_a_line_of_its_own_or_steer_a_terminal() -> None:
    with written("text", Secrets()) as (log, out):
        log.warning("one\ntwo \x1b[31m \u202e", extra={"node": "a b", "ok": True})
    line = out.getvalue()
    assert line.count("\n") == 1
    assert line[:-1].isprintable()
    assert 'node="a b"' in line
    assert "ok=true" in line


def test_the_command_line_logs_to_standard_error_and_leaves_nothing_set_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_TOKEN", "hunter2hunter2")
    (tmp_path / "say.py").write_text(
        'import os\n\ndef say() -> str:\n    """Fail."""\n    raise ValueError(os.environ["SHOP_TOKEN"])\n'
    )
    (tmp_path / "w.yaml").write_text(
        'version: 1\nname: leaky\ntools: {say: {ref: "say:say"}}\nnodes: {a: {tool: say}}\n'
    )
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("planloom").level)
    with pytest.raises(SystemExit):
        main(["run", "w.yaml", "--journal", "j.db", "--json", "--log-format", "json", "--log-level", "debug"])
    printed = capsys.readouterr()
    lines = [json.loads(line) for line in printed.err.splitlines()]
    assert json.loads(printed.out)["status"] == "failed"
    assert {line["event"] for line in lines} >= {"run-started", "attempt-started", "node-failed", "run-ended"}
    assert {line["logger"] for line in lines} == {"planloom.run"}
    assert "hunter2hunter2" not in printed.err
    assert "***" in printed.err
    assert (root.level, list(root.handlers), logging.getLogger("planloom").level) == before


def test_without_the_options_nothing_of_it_is_imported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("structlog") or name == "planloom.telemetry.logs"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "w.yaml").write_text('version: 1\nname: one\nnodes: {a: {code: "1"}}\n')
    with pytest.raises(SystemExit) as left:
        main(["run", "w.yaml", "--journal", "j.db"])
    assert left.value.code == 0
    assert capsys.readouterr().err == ""
    assert "structlog" not in sys.modules
    assert "planloom.telemetry.logs" not in sys.modules
