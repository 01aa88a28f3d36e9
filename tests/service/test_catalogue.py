"""Workflows that a service offers: where they come from, what they take, and the bounds they are held to."""

from pathlib import Path

import pytest
from service_support import SUM

from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError
from planloom.service.catalogue import catalogue_of, held_to, input_schema

PAID = """
version: 1
name: paid
inputs: {topic: {type: string, default: "${env:TOPIC}"}}
models: {mini: {model: "openai:mini", price: {input: 1, output: 1}}}
budget: {usd: 2, calls: 9}
nodes: {say: {goal: "Say something about it.", with: {topic: "${inputs.topic}"}}}
"""


def test_a_folder_offers_its_workflows_and_not_what_lies_beside_them(tmp_path: Path) -> None:
    (tmp_path / "sum.yaml").write_text(SUM)
    (tmp_path / "script.yaml").write_text("rehearsal: 1\nrules: [{text: x}]\n")
    assert list(catalogue_of([tmp_path])) == ["sum"]
    (tmp_path / "again.yml").write_text(SUM)
    with pytest.raises(ConfigError, match="is the name of"):
        catalogue_of([tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="found none in it"):
        catalogue_of([tmp_path / "empty"])


def test_inputs_are_described_as_a_json_schema() -> None:
    assert input_schema(Workflow.from_text(SUM)) == {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 1}},
        "required": ["a"],
        "additionalProperties": False,
    }


def test_a_workflow_is_held_to_less_and_stays_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "paid.yaml").write_text(PAID)
    workflow = Workflow.from_yaml(tmp_path / "paid.yaml", env={"TOPIC": "tides"})
    held = held_to(workflow, time_s=60.0, usd=0.5)
    assert (held.spec.budget.usd, held.spec.budget.time, held.spec.budget.calls) == (0.5, 60.0, 9)
    assert held_to(workflow, time_s=60.0, usd=5.0).spec.budget.usd == 2
    assert held.source == workflow.source  # its lock file is found beside it
    assert held.positions == workflow.positions
    assert held.spec.inputs["topic"].default == "tides"
    again = Workflow.from_json(held.to_json(), tmp_path, env={"TOPIC": "tides"})  # as a resume reads it
    assert again.spec.budget == held.spec.budget
    assert "${env:TOPIC}" in str(held.to_json())
