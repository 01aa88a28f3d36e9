"""`benchmarks/routing.py`: the figures of each rule on recorded answers, and no figures where nothing is to be seen."""

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invented import invented, write

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run the benchmark and read what it prints with `--json`."""
    monkeypatch.setattr("sys.path", [str(BENCHMARKS), *sys.path])

    def run(*args: str | Path) -> dict[str, Any]:
        monkeypatch.setattr("sys.argv", ["routing.py", *map(str, args), "--json"])
        importlib.import_module("routing").main()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return run


def test_each_rule_has_its_curve_and_its_operating_point(
    measure: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    data = write(tmp_path / "data.jsonl", invented(120))
    learn = write(tmp_path / "learn.jsonl", invented(120, seed=2))
    found = measure("--data", data, "--second", learn, "--calibrate-on", learn, "--halves", "2")
    assert (found["n"], found["weak_model"], found["strong_model"]) == (120, "cheap", "dear")
    rules = found["rules"]
    assert set(rules) == {"untrained", "calibrated", "two_answers", "halves"}
    for rule in ("untrained", "calibrated"):
        assert rules[rule]["signal"] == "yes"
        assert rules[rule]["apgr"] > 0.8
        assert rules[rule]["cpt50"] < 30
        point = rules[rule]["operating_point"]
        assert point["accuracy"] > found["weak_accuracy"]
        assert point["strong_calls"] < point["cost_share"] < 1  # the cheap answers are paid for too
    assert rules["halves"]["apgr"] > 0.8
    assert rules["halves"]["cpt50_sd"] > 0


def test_flags_without_texts_are_no_signal(measure: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    data = write(tmp_path / "flags.jsonl", [replace(each, answer="") for each in invented(60)])
    rules = measure("--data", data)["rules"]
    assert (rules["untrained"]["signal"], rules["calibrated"]["signal"]) == ("no signal", "no signal")
    assert "apgr" not in rules["calibrated"]


def test_answers_are_no_second_answers_to_themselves(
    measure: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path / "data.jsonl", invented(60))
    same = write(tmp_path / "copy.jsonl", invented(60))
    for second in (data, same):
        with pytest.raises(SystemExit):
            measure("--data", data, "--second", second)
        assert "expected other answers" in capsys.readouterr().err
