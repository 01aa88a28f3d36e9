"""Recorded answers read from files of JSON lines: one object a line, plain or gzipped."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from planloom.core.errors import ConfigError, Problem
from planloom.core.json import Json, JsonObject
from planloom.quality.program import CodeTask
from planloom.quality.recorded import Recorded

MAX_BYTES = 1 << 30
"""Unpacked; a file that unpacks to more is refused."""


def read_recordings(path: Path, *, model: str | None = None, above: bool = False) -> list[Recorded]:
    """Read a file of recorded answers.

    Columns: `question_id`, `question` (text, or an object with `prompt`, `entry_point` and `visible_tests`),
    `weak_model`, `sample_idx`, `weak_answer_text`, `weak_correct`, `strong_model`, `strong_answer_text`,
    `strong_correct`. A question may stand in one row of several with its id.

    Args:
        path: A `.jsonl` or `.jsonl.gz` file.
        model: Keep the rows of this weak model; `None` keeps those of the first one in the file.
        above: Keep, behind them, the rows of the models that they name as stronger, and so on up: the longer ladder.

    Raises:
        ConfigError: The file cannot be read, a row is broken, or no row is left.
    """
    rows = list(read_lines(path))
    questions = {
        str(row["question_id"]): row["question"] for _, row in rows if "question_id" in row and row.get("question")
    }
    wanted = model or next((_text(row, "weak_model") for _, row in rows), "")
    kept = [_recorded(path, line, row, questions) for line, row in rows if _text(row, "weak_model") == wanted]
    if not kept:
        models = sorted({_text(row, "weak_model") for _, row in rows})
        found = f"found {', '.join(models)}" if models else "the file is empty"
        raise ConfigError(str(path), [Problem(f"expected rows of the model {wanted!r}; {found}", "weak_model")])
    return [*kept, *_above(path, rows, questions, kept)] if above else kept


def _above(
    path: Path, rows: list[tuple[int, JsonObject]], questions: Mapping[str, Json], kept: list[Recorded]
) -> Iterator[Recorded]:
    seen, stronger = {each.model for each in kept}, {each.strong_model for each in kept}
    while stronger := stronger - seen - {""}:
        seen |= stronger
        found = [_recorded(path, line, row, questions) for line, row in rows if _text(row, "weak_model") in stronger]
        yield from (replace(each, first=False) for each in found)
        stronger = {each.strong_model for each in found}


def read_lines(path: Path) -> Iterator[tuple[int, JsonObject]]:
    """Yield each line's number and object; blank lines are passed over.

    Raises:
        ConfigError: The file cannot be read, or a line is no object.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            size = 0
            for number, line in enumerate(file, start=1):
                size += len(line)
                if size > MAX_BYTES:
                    raise ConfigError(
                        str(path), [Problem(f"holds more than {MAX_BYTES:,} bytes", line=number, column=1)]
                    )
                if line.strip():
                    yield number, _object(path, number, line)
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as exc:
        raise ConfigError(str(path), [Problem(f"cannot be read: {exc}")]) from exc


def _object(path: Path, number: int, line: str) -> JsonObject:
    try:
        row: Json = json.loads(line)
    except (ValueError, RecursionError) as exc:
        problem = Problem(f"expected JSON lines, an object each: {exc}", line=number, column=1)
        raise ConfigError(str(path), [problem]) from exc
    if not isinstance(row, dict):
        raise ConfigError(str(path), [Problem("expected JSON lines, an object each", line=number, column=1)])
    return row


def _recorded(path: Path, line: int, row: JsonObject, questions: Mapping[str, Json]) -> Recorded:
    right = row.get("weak_correct")
    if "question_id" not in row or not isinstance(right, bool):
        problem = Problem("expected question_id and a boolean weak_correct", line=line, column=1)
        raise ConfigError(str(path), [problem])
    question_id = str(row["question_id"])
    question = row.get("question") or questions.get(question_id)
    strong = row.get("strong_correct")
    sample = row.get("sample_idx")
    return Recorded(
        question_id=question_id,
        question=_asked(question),
        answer=_text(row, "weak_answer_text"),
        right=right,
        strong_right=strong if isinstance(strong, bool) else None,
        model=_text(row, "weak_model"),
        strong_model=_text(row, "strong_model"),
        strong_answer=_text(row, "strong_answer_text"),
        sample=sample if isinstance(sample, int) else 0,
        task=_task(question) if isinstance(question, dict) else None,
    )


def _text(row: Mapping[str, Json], key: str) -> str:
    value = row.get(key)
    return value if isinstance(value, str) else ""


def _asked(question: Json) -> str:
    if isinstance(question, dict):
        return _text(question, "prompt")
    return question if isinstance(question, str) else ""


def _task(question: Mapping[str, Json]) -> CodeTask:
    tests = question.get("visible_tests")
    readable = tuple(test for test in tests if isinstance(test, str)) if isinstance(tests, list) else ()
    return CodeTask(prompt=_text(question, "prompt"), name=_text(question, "entry_point"), tests=readable)
