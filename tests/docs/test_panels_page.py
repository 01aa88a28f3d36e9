"""The workflow of docs/panels.md runs on its script, and its tables name what there is."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

from planloom.configs.load import Workflow
from planloom.core.board import Claim, StopReason
from planloom.core.panel import OnContradiction
from planloom.engine import Engine

PAGE = (Path(__file__).parents[2] / "docs" / "panels.md").read_text(encoding="utf-8")
WORKFLOW, SCRIPT = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


async def test_the_workflow_of_the_page_runs_on_its_script(tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text(SCRIPT)
    workflow = Workflow.from_text(WORKFLOW, base_dir=tmp_path)
    async with Engine(journal=":memory:", rehearsal=tmp_path / "script.yaml") as engine:
        result = await engine.run(workflow)
    assert result.output == {"rise_percent": 7.7, "report_is_right": False}, result.error
    panel = result.nodes["review"].panel
    assert panel is not None
    assert (panel.stopped, panel.board.round) == ("agreement", 2)
    assert [claim.endorsed_by for claim in panel.board.standing] == [("reader",)]


def test_the_page_names_every_reason_policy_and_field_of_a_claim() -> None:
    names = [*get_args(StopReason), *get_args(OnContradiction), *(field.name for field in fields(Claim))]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
