import re
from pathlib import Path

import pytest

from planloom.models.script import Rule, ScriptedUsage, Streaming, When, load_script

PAGE = (Path(__file__).parents[2] / "docs" / "rehearsal.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_every_script_on_the_page_loads(text: str, tmp_path: Path) -> None:
    file = tmp_path / "script.yaml"
    file.write_text(text)
    assert load_script(file).rules


def test_the_page_names_every_key() -> None:
    for part in (When, Rule, Streaming, ScriptedUsage):
        for name in part.model_fields:
            assert name.rstrip("_") in PAGE
