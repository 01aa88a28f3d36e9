"""Files of recorded answers."""

import gzip
import json
from pathlib import Path

import pytest

from planloom.core.errors import ConfigError
from planloom.state.recordings import read_recordings

ROW = {"question_id": "1", "question": "How many?", "weak_model": "a", "weak_answer_text": "3", "weak_correct": True}


def test_a_gzipped_file_is_read_and_a_question_is_found_in_another_row_of_its_id(tmp_path: Path) -> None:
    rows = [ROW, {"question_id": "1", "weak_model": "b", "weak_correct": False, "strong_correct": True}]
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    (only,) = read_recordings(path, model="b")
    assert (only.question, only.answer, only.right, only.strong_right) == ("How many?", "", False, True)
    assert [each.model for each in read_recordings(path)] == ["a"]


def test_a_question_that_is_a_task_keeps_its_tests(tmp_path: Path) -> None:
    task = {"prompt": "def f(x):\n", "entry_point": "f", "visible_tests": ["assert f(1) == 1"]}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**ROW, "question": task}))
    (only,) = read_recordings(path)
    assert only.task
    assert (only.question, only.task.name, only.task.tests) == ("def f(x):\n", "f", ("assert f(1) == 1",))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", r"rows.jsonl:1:1: expected JSON lines, an object each"),
        (f"{json.dumps(ROW)}\n[1]", r"rows.jsonl:2:1: expected JSON lines, an object each"),
        (json.dumps({**ROW, "weak_correct": 1}), r"rows.jsonl:1:1: expected question_id and a boolean weak_correct"),
        ("", "the file is empty"),
        (json.dumps(ROW).replace('"a"', '"b"'), "expected rows of the model 'a'; found b"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_with_its_line(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        read_recordings(path, model="a")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recordings(tmp_path / "nowhere.jsonl")


def test_a_gzipped_file_that_is_damaged_is_refused_and_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    packed = gzip.compress("\n".join(json.dumps({**ROW, "question_id": str(n)}) for n in range(200)).encode())
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(packed[:40] + b"\xff" * 20 + packed[60:])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recordings(path)
    marked = tmp_path / "marked.jsonl"
    marked.write_text(json.dumps(ROW), encoding="utf-8-sig")
    assert len(read_recordings(marked)) == 1


def test_the_rows_of_the_models_above_come_along_where_they_are_wanted(tmp_path: Path) -> None:
    rows = [
        {"question_id": "q", "question": "?", "weak_model": weak, "weak_correct": False, "strong_model": strong}
        for weak, strong in (("mid", "big"), ("mini", "mid"), ("other", "big"))
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_recordings(path, model="mini", above=True)
    assert [(each.model, each.first) for each in found] == [("mini", True), ("mid", False)]
