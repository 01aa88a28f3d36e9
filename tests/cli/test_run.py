"""Whole commands against real runs: rehearsal scripts in process, SQLite journals, real terminals and signals."""

import json
import multiprocessing
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from programs import PLANLOOM, Program, begin

WORKFLOW = """
version: 1
name: greet
inputs:
  who: {type: string, default: world}
  n: {type: integer, default: 1}
models:
  mini: {model: "rehearsal:mini", script: script.yaml}
  big: {model: "rehearsal:big", script: script.yaml}
nodes:
  hello:
    goal: Greet ${inputs.who}
    checks: [{expr: "len(output) > 3", message: too short}]
  shout:
    code: text.upper() + "!" * n
    with: {text: "${nodes.hello.output}", n: "${inputs.n}"}
output: "${nodes.shout.output}"
"""
SCRIPT = """
rehearsal: 1
rules:
  - {when: {node: hello, model: mini}, text: hi}
  - {when: {node: hello, model: big}, text: hello}
"""
HELD = """
version: 1
name: held
models: {m: {model: "rehearsal:m", script: script.yaml}}
nodes:
  ask: {goal: Ask, approve: true}
  free: {goal: Go}
output: ["${nodes.ask.output}", "${nodes.free.output}"]
"""
ENDLESS = """
version: 1
name: endless
models: {m: {model: "rehearsal:m", script: hang.yaml}}
nodes: {wait: {goal: Wait}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "greet.yaml": WORKFLOW,
        "held.yaml": HELD,
        "endless.yaml": ENDLESS,
        "script.yaml": SCRIPT + "  - {text: fine}\n",
        "hang.yaml": "rehearsal: 1\nrules: [{hang: true}]\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_json_is_one_result_and_nothing_else(cli, folder: Path) -> None:
    ran = cli("run", "greet.yaml", "-i", "n=2", "--json")
    result = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert (result["status"], result["output"], result["rehearsal"]) == ("done", "HELLO!!", True)
    assert [a["rung"] for a in result["nodes"]["hello"]["attempts"]][-1] == "big"


def test_plain_lines_can_be_grepped_and_the_output_comes_last(cli, folder: Path) -> None:
    ran = cli("run", "greet.yaml", "--plain")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert any(re.search(r"decided node=hello attempt=\d action=promote rung=big", line) for line in lines)
    assert any(line.endswith('node-committed node=shout attempt=1 output="HELLO!"') for line in lines)
    assert lines[-2].startswith("done: 2/2 nodes, ")
    assert lines[-2].endswith("REHEARSAL")
    assert lines[-1] == "HELLO!"


def test_the_output_goes_to_a_file(cli, folder: Path) -> None:
    assert cli("run", "greet.yaml", "--plain", "-o", "out.txt").code == 0
    assert (folder / "out.txt").read_text() == "HELLO!\n"


def test_a_run_that_fails_exits_1_and_says_how_to_go_on(cli, folder: Path) -> None:
    (folder / "script.yaml").write_text("rehearsal: 1\nrules: [{text: no}]\n")
    ran = cli("run", "greet.yaml", "--plain")
    assert ran.code == 1
    assert re.search(r"^what happened: planloom show \S+$", ran.out, re.M)
    assert re.search(r"^once more as it is, keeping what is done: planloom resume \S+$", ran.out, re.M)


def test_a_run_that_waits_exits_3_and_goes_on_when_approved(cli, folder: Path) -> None:
    ran = cli("run", "held.yaml", "--plain")
    assert ran.code == 3
    told = re.search(r"^planloom (approve \S+ ask)$", ran.out, re.M)
    assert told is not None
    resumed = cli(*told[1].split(), "--json")
    assert resumed.code == 0
    assert json.loads(resumed.out)["output"] == ["fine", "fine"]


def test_a_resumed_run_prints_only_what_is_new(cli, folder: Path) -> None:
    assert cli("run", "held.yaml", "--plain").code == 3
    lines = cli("resume", "last", "--approve", "ask", "--plain").out.splitlines()
    assert lines[0] == "resumed: 1 of 2 nodes were done"
    assert "approval-given node=ask" in lines[1]
    assert not any("node-committed node=free" in line for line in lines)
    assert lines[-1] == "]"


def test_a_run_that_could_only_fail_again_is_not_offered_for_resume(cli, folder: Path) -> None:
    assert cli("run", "held.yaml", "--plain").code == 3
    assert "planloom resume" not in cli("resume", "last", "--reject", "ask", "--plain").out


def test_a_spent_budget_is_raised_by_the_command_that_the_hint_names(cli, folder: Path) -> None:
    (folder / "greet.yaml").write_text(WORKFLOW.replace("nodes:", "budget: {calls: 1}\nnodes:", 1))
    spent = cli("run", "greet.yaml", "--plain")
    (hint,) = [line for line in spent.out.splitlines() if line.startswith("the budget is spent")]
    assert hint.endswith("--budget calls=2")
    shown = cli("show", "last").out + cli("show", "last", "--format", "html").out
    assert "budget calls: cap 1" in shown
    assert "budget: budget" not in spent.out + shown
    words = hint.partition("planloom ")[2].split()
    assert cli(*words[:-1], "calls", "--plain").err == "command line: --budget: expected NAME=CAP, found 'calls'\n"
    assert cli(*words[:-1], "calls=9,time=1h", "--plain").code == 0


def test_errors_are_json_where_json_was_asked_for(cli, folder: Path) -> None:
    (folder / "bad.yaml").write_text(WORKFLOW.replace("goal:", "gaol:"))
    ran = cli("run", "bad.yaml", "--json")
    told = json.loads(ran.out)["error"]
    assert (ran.code, told["type"], told["message"] + "\n") == (2, "ConfigError", ran.err)
    assert (told["problems"][0]["line"], told["problems"][0]["field"]) == (12, "nodes.hello.gaol")
    assert json.loads(cli("show", "last", "--json").out)["error"]["type"] == "JournalUnusable"


def test_what_waits_can_be_asked_for_as_json(cli, folder: Path) -> None:
    assert cli("run", "held.yaml", "--plain").code == 3
    ran = cli("approve", "last", "--json")
    assert ran.code == 3
    assert [(item["node_id"], item["kind"]) for item in json.loads(ran.out)["pending"]] == [("ask", "approval")]


def test_an_edited_plan_is_written_to_a_file_and_its_faults_have_lines(cli, folder: Path) -> None:
    ran = cli("run", "held.yaml", "--plain")
    assert ran.code == 3, ran.err
    assert cli("show", "last", "--plan", "-o", "p.yaml").out == ""
    text = (folder / "p.yaml").read_text()
    for wrong, said in (("gaol: Ask", "nodes.ask.gaol"), ('goal: "Ask ${nodes.nosuch.output}"', "nosuch")):
        (folder / "p.yaml").write_text(text.replace("goal: Ask", wrong))
        ran = cli("approve", "last", "plan", "--edit", "p.yaml")
        assert ran.code == 2
        assert re.match(r"p\.yaml:\d+:\d+: ", ran.err), ran.err
        assert said in ran.err


def test_a_run_whose_folder_was_moved_says_so(cli, folder: Path) -> None:
    here = folder / "here"
    here.mkdir()
    for name in ("held.yaml", "script.yaml"):
        (here / name).write_text((folder / name).read_text())
    assert cli("run", "here/held.yaml", "--plain").code == 3
    here.rename(folder / "there")
    ran = cli("approve", "last", "--all")
    assert ran.code == 2
    assert re.fullmatch(rf"run \S+: the folder of its workflow, {here}, is not there any more; .*\n", ran.err)
    here.mkdir()
    ran = cli("approve", "last", "--all")
    assert re.match(rf"workflow of run \S+ in {here}: models\.m\.script: ", ran.err), ran.err


def test_a_rejected_node_does_not_run(cli, folder: Path) -> None:
    assert cli("run", "held.yaml", "--plain").code == 3
    ran = cli("resume", "last", "--reject", "ask", "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["nodes"]["ask"]["state"] == "failed"


def test_approve_answers_everything_that_would_wait(cli, folder: Path) -> None:
    assert cli("run", "held.yaml", "--approve", "yes", "--json").code == 0
    assert cli("run", "held.yaml", "--approve", "no", "--json").code == 1


def test_hints_repeat_the_journal_that_was_given(cli, folder: Path) -> None:
    ran = cli("run", "held.yaml", "--plain", "--journal", "here.db")
    run_id = json.loads(cli("runs", "--journal", "here.db", "--json").out)[0]["run_id"]
    asked = f"planloom approve {run_id} ask --journal here.db"
    assert asked in ran.out.splitlines()
    for again in (["show", run_id], ["approve", run_id]):
        assert asked in [line.strip() for line in cli(*again, "--journal", "here.db").out.splitlines()]


def test_the_program_is_named_as_it_was_called(folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "planloom", "run", "held.yaml", "--plain"],
        cwd=folder,
        env={**os.environ, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert f"{sys.executable} -m planloom approve " in ran.stdout


def test_the_journal_option_names_the_journal(cli, folder: Path) -> None:
    assert cli("run", "greet.yaml", "--plain", "--journal", "here.db").code == 0
    assert len(json.loads(cli("runs", "--journal", "sqlite:///here.db", "--json").out)) == 1
    assert not (folder / ".planloom").exists()


def test_a_run_can_be_listed_shown_and_drawn(cli, folder: Path) -> None:
    assert cli("run", "greet.yaml", "--plain").code == 0
    (run,) = json.loads(cli("runs", "--json").out)
    assert "greet REHEARSAL" in cli("runs").out
    shown = cli("show", run["run_id"]).out
    for part in ("hello #1", "too short", "promote", "time line", "HELLO!"):
        assert part in shown
    assert json.loads(cli("show", "last", "--json").out)["status"] == "done"
    assert "● " in cli("graph", "last", "-f", "text").out
    assert "class n0,n1 done" in cli("graph", run["run_id"]).out


def test_the_events_of_a_run_can_be_listed(cli, folder: Path) -> None:
    assert cli("run", "greet.yaml", "--plain").code == 0
    assert "run-ended status=done" in cli("show", "last", "--events").out
    rows = [json.loads(row) for row in cli("show", "last", "--events", "--json").out.splitlines()]
    assert (rows[0]["type"], rows[-1]["type"]) == ("RunStarted", "RunEnded")


def test_a_broken_rehearsal_is_an_error_of_the_run_and_not_of_the_program(cli, folder: Path) -> None:
    (folder / "script.yaml").write_text("rehearsal: 1\nrules: [{status: 500, error: server down}]\n")
    workflow = (folder / "greet.yaml").read_text().replace('model: "rehearsal:', 'retries: 0, model: "rehearsal:')
    (folder / "greet.yaml").write_text(workflow)
    ran = cli("run", "greet.yaml", "--json")
    assert ran.code == 1
    assert "server down" in ran.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("run", "nothing.yaml"), "nothing.yaml: expected a file, found none of that name"),
        (("run", "."), "expected a file, found a folder"),
        (("run", "greet.yaml", "-i", "n=x"), "inputs.n: expected an integer as JSON, found 'x'"),
        (("run", "greet.yaml", "-i", "m=1"), "unknown input"),
        (("run", "greet.yaml", "--inputs", "none.json"), "none.json: expected a readable file"),
        (("run", "greet.yaml", "-o", "none/out"), "none/out: --output: expected a file in a folder"),
        (("run", "greet.yaml", "--rehearsal", "none.yaml"), "none.yaml: expected a file"),
        (
            ("run", "greet.yaml", "--base-url", "banana"),
            "--base-url: expected http://HOST... or https://HOST..., found",
        ),
        (("resume", "last", "--base-url", "http://"), "--base-url: expected http://HOST"),
        (("run", "greet.yaml", "--base-url", "http://h:x/v1"), "--base-url: expected http://HOST"),
        (("run", "greet.yaml", "--journal", "mysql://x"), "expected sqlite:///FILE or postgresql://"),
        (("runs", "--journal", "greet.yaml/j.db"), "greet.yaml/j.db: no such journal"),
        (("graph", "greet.yaml", "-o", "none/g"), "none/g: --output: expected a file in a folder"),
        (("show", "never"), ".planloom/planloom.db: no such journal"),
        (("resume", "never"), ".planloom/planloom.db: no such journal"),
        (("graph", "never"), ".planloom/planloom.db: no such journal"),
    ],
)
def test_bad_input_exits_2_with_one_line(cli, folder: Path, args: tuple[str, ...], said: str) -> None:
    ran = cli(*args)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_a_file_that_is_no_journal_is_a_message(cli, folder: Path) -> None:
    (folder / "j.db").write_bytes(os.urandom(5000))
    ran = cli("runs", "--journal", "j.db")
    assert ran.code == 2
    assert "j.db" in ran.err
    assert "Traceback" not in ran.err


_LOOKS = (
    ["runs"],
    ["show", "last"],
    ["graph", "r1"],
    ["gc"],
    ["approve", "last"],
    ["resume", "last"],
    ["promote", "last"],
)


@pytest.mark.parametrize("looks", _LOOKS, ids=lambda looks: looks[0])
def test_commands_that_look_make_no_journal_and_leave_other_databases_alone(
    cli, folder: Path, looks: list[str]
) -> None:
    before = sorted(folder.iterdir())
    ran = cli(*looks, "--journal", "typo.db")
    assert (ran.code, ran.err) == (2, "typo.db: no such journal\n")
    assert sorted(folder.iterdir()) == before
    with closing(sqlite3.connect(folder / "shop.db")) as shop:
        shop.execute("CREATE TABLE customers (name TEXT)")
    bytes_before = (folder / "shop.db").read_bytes()
    for command in (looks, ["run", "greet.yaml"]):
        ran = cli(*command, "--journal", "shop.db")
        assert (ran.code, ran.err) == (2, "shop.db is not a Planloom journal: it has the tables customers\n")
    assert (folder / "shop.db").read_bytes() == bytes_before
    assert sorted(folder.iterdir()) == sorted([*before, folder / "shop.db"])


def test_a_folder_in_which_nothing_ran_has_no_runs_and_stays_as_it_is(cli, folder: Path) -> None:
    ran = cli("runs")
    assert (ran.code, ran.out, ran.err) == (0, "", "no runs yet\n")
    assert not (folder / ".planloom").exists()


def begun(folder: Path, *options: str) -> Program:
    """A run that waits for its model."""
    program = begin(PLANLOOM, "run", "endless.yaml", "--plain", *options, folder=folder)
    while "call-started" not in program.out:
        assert program.code is None, program.err
        time.sleep(0.02)
    return program


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_told_to_stop_is_cancelled_and_can_be_resumed(
    cli, folder: Path, sent: signal.Signals, code: int
) -> None:
    program = begun(folder, "--drain", "0.2")
    program.send(sent)
    program.process.join()
    assert program.code == code
    assert re.fullmatch(r"interrupted; go on with: planloom resume \S+\n", program.err)
    assert [run["status"] for run in json.loads(cli("runs", "--json").out)] == ["cancelled"]


def test_a_killed_run_is_shown_as_interrupted(cli, folder: Path) -> None:
    program = begun(folder)
    assert "interrupted" not in cli("runs").out
    assert "its process is gone" not in cli("show", "last").out
    program.send(signal.SIGKILL)
    program.process.join()
    assert "interrupted" in cli("runs").out
    out = cli("show", "last").out
    assert " interrupted" in out.splitlines()[0]
    assert re.search(r"its process is gone; go on with: planloom resume \S+$", out, re.M)


def test_a_killed_run_stands_the_same_in_every_view(cli, folder: Path) -> None:
    chain = "a: {code: '1'}, b: {code: '2', needs: [a]}, wait: {goal: W, needs: [b]}, z: {goal: Z, needs: [wait]}"
    (folder / "endless.yaml").write_text(ENDLESS.replace("wait: {goal: Wait}", chain))
    program = begun(folder)
    program.send(signal.SIGKILL)
    program.process.join()
    record = json.loads(cli("show", "last", "--json").out)
    assert record["status"] == "interrupted"
    assert [(name, node["state"]) for name, node in record["nodes"].items()] == [
        ("a", "done"),
        ("b", "done"),
        ("wait", "pending"),
        ("z", "pending"),
    ]
    assert record["ended_at"] == json.loads(cli("show", "last", "--json").out)["ended_at"]
    drawn = [cli("show", "last").out, cli("graph", "last", "-f", "text").out]
    for out in drawn:
        assert "interrupted" in out.splitlines()[0]
        assert out.count("●") == 2
        assert "2/4 nodes" in out
    assert drawn[1] == cli("graph", "last", "-f", "text").out


def into_a_closed_pipe(*args: str, folder: Path) -> Program:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    ours.close()
    with theirs:
        program = begin(PLANLOOM, *args, folder=folder, onto={1: theirs})
    program.process.join()
    return program


def test_a_closed_pipe_cancels_the_run_and_says_so(cli, folder: Path) -> None:
    ran = into_a_closed_pipe("run", "greet.yaml", "--plain", folder=folder)
    assert ran.code == 1
    (run,) = json.loads(cli("runs", "--json").out)
    said = f"the output was closed, so the run was cancelled; go on with: planloom resume {run['run_id']}\n"
    assert (ran.err, run["status"]) == (said, "cancelled")


def test_a_result_that_nobody_reads_is_still_in_the_journal(cli, folder: Path) -> None:
    ran = into_a_closed_pipe("run", "greet.yaml", "--json", folder=folder)
    (run,) = json.loads(cli("runs", "--json").out)
    assert ran.err == f"the output was closed; the run is done, see: planloom show {run['run_id']}\n"


def test_a_terminal_shows_the_plan_graph_and_then_the_record(folder: Path) -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    with Connection(theirs) as terminal:
        program = begin(PLANLOOM, "run", "greet.yaml", folder=folder, env=env, onto=dict.fromkeys(range(3), terminal))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", _read_all(ours))
    program.process.join()
    assert program.code == 0
    tail = text.splitlines()[-6:]
    assert "REHEARSAL" in text
    assert any(line.startswith("● hello") for line in tail)
    assert any("promote" in line for line in tail)
    assert tail[-1] == "HELLO!"


def _read_all(descriptor: int) -> str:
    parts: list[bytes] = []
    while select.select([descriptor], [], [], 30)[0]:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(descriptor)
    return b"".join(parts).decode()


def test_a_failed_run_goes_on_under_a_corrected_file(cli, folder: Path) -> None:
    nodes = "n: {code: 1 + 1}, m: {code: n / zero, with: {n: '${nodes.n.output}', zero: 0}}"
    text = f"version: 1\nname: code\nnodes: {{{nodes}}}\noutput: '${{nodes.m.output}}'\n"
    (folder / "code.yaml").write_text(text)
    failed = cli("run", "code.yaml")
    assert failed.code == 1
    assert re.search(r"planloom resume \S+ --workflow FILE", failed.out + failed.err)
    (folder / "code.yaml").write_text(text.replace("zero: 0", "zero: 2"))
    mended = cli("resume", "last", "--workflow", "code.yaml", "--plain")
    lines = mended.out.splitlines()
    assert (mended.code, lines[0], lines[-1]) == (0, "resumed: 1 of 2 nodes were done", "1.0")
    assert "node-committed node=n" not in mended.out
