"""Every promise of docs/security.md names a test, and every test it names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
PROMISES = [
    line
    for table in re.findall(r"^\| promise .*?(?=\n\n)", PAGE, re.DOTALL | re.MULTILINE)
    for line in table.splitlines()[2:]
]


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_the_page_names_is_there(path: str, name: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert name in found


def test_every_promise_names_a_test() -> None:
    assert len(PROMISES) >= 30
    assert [line for line in PROMISES if not re.search(r"`tests/[\w/]+\.py::\w+`", line)] == []
