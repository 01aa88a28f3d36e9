"""docs/coming-from.md: our workflow runs as it stands, and each source is cited and listed."""

import re
from pathlib import Path

import pytest

from planloom.engine import Engine

PAGE = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+\n# ([\w.]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
SCRIPT = """
rehearsal: 1
rules:
  - {when: {model: gpt-5-mini}, text: Everest is a little higher.}
  - {text: Everest is 238 metres higher than K2.}
"""


async def test_our_side_runs_and_its_check_sends_a_vague_answer_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {**FILES, "script.yaml": SCRIPT}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    async with Engine(journal=":memory:", rehearsal="script.yaml") as engine:
        result = await engine.run("mountains.yaml")
    assert (result.status, result.output) == ("done", "Everest is 238 metres higher than K2.")
    assert result.nodes["answer"].attempts[-1].rung == "big"


def test_each_source_is_cited_and_each_citation_has_its_source() -> None:
    text, sources = PAGE.split("## Sources")
    assert set(re.findall(r"\[(\d)\]", text)) == set(
        re.findall(r"^(\d)\. \[.+\]\(https://\S+\)$", sources, re.MULTILINE)
    )
