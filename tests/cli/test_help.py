import subprocess
import sys

import pytest

HEAVY = ("langgraph", "langchain_core", "langchain_openai", "openai", "sqlalchemy", "planloom.engine", "rich", "yaml")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, contextlib\n"
        "from planloom.cli import main\n"
        "with contextlib.suppress(SystemExit):\n    main(['run', '--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Exit codes: 0 done, 1 failed or partial, 2 bad input" in done.stdout


def test_every_command_is_listed(cli) -> None:
    ran = cli("--help")
    assert ran.code == 0
    for name in [
        "init",
        "run",
        "validate",
        "explain",
        "graph",
        "show",
        "artifact",
        "runs",
        "resume",
        "gc",
        "schema",
        "rehearse",
    ]:
        assert f"\n  {name} " in ran.out


@pytest.mark.parametrize("group", [(), ("keys",), ("webhooks",), ("memory",)], ids=" ".join)
def test_what_each_command_does_can_be_read_to_its_end_at_80_columns(
    cli, monkeypatch: pytest.MonkeyPatch, group: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = cli(*group, "--help").out.partition("\nCommands:\n")[2].splitlines()
    assert len(listed) > 1
    assert [line for line in listed if len(line) > 80 or not line.endswith(".") or line.endswith("...")] == []


def test_version_is_printed(cli) -> None:
    assert cli("--version").out.startswith("planloom 0.")


@pytest.mark.parametrize(
    "args",
    [("run",), ("run", "--nonsense"), ("runs", "--limit", "0"), ("graph", "x", "-f", "png"), ("frobnicate",)],
)
def test_wrong_usage_exits_2_with_a_message(cli, args: tuple[str, ...]) -> None:
    ran = cli(*args)
    assert (ran.code, ran.out) == (2, "")
    assert "Error" in ran.err
