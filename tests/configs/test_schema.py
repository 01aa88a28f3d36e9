"""The committed JSON Schema and the reference page are current and true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from planloom.configs.json_schema import misfits, schema_faults
from planloom.configs.load import Workflow
from planloom.configs.reference import fill, models
from planloom.configs.schema import SCHEMA_FILE, schema_text, workflow_schema
from planloom.core.errors import ConfigError
from planloom.core.json import Json

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workflow.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "version: 1" in text]


def fits(text: str) -> bool:
    data: Json = yaml.safe_load(text)
    return not list(misfits(data, workflow_schema(), ""))


def test_the_committed_schema_is_current() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run python -P docs/make_reference.py"


def test_the_committed_tables_are_current_and_complete() -> None:
    assert fill(PAGE) == PAGE, "run python -P docs/make_reference.py"
    assert sorted(re.findall(r"<!-- keys: (\w+) -->", PAGE)) == models()


def test_every_link_inside_the_page_has_its_heading() -> None:
    headings = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= headings


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(workflow_schema())
    assert not list(schema_faults(workflow_schema(), ""))


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_of_the_page_load_and_fit_the_schema(text: str) -> None:
    Workflow.from_text(text, env={})
    assert fits(text)


START = "version: 1\nname: w\n"
BAD = {
    "no version": "name: w",
    "version 2": "version: 2\nname: w",
    "unknown key": START + "nope: 1",
    "node without work": START + "nodes: {a: {effort: low}}",
    "node of two kinds": START + "nodes: {a: {tool: x, code: '1'}}",
    "two checks in one": START + "nodes: {a: {goal: x, checks: [{expr: 'true', regex: x}]}}",
    "no check": START + "nodes: {a: {goal: x, checks: [{message: x}]}}",
    "tool of two kinds": START + "tools: {a: {python: {}, files: x}}",
    "tool of no kind": START + "tools: {a: {timeout: 3}}",
    "access on http": START + "tools: {a: {http: {base_url: 'http://x'}, access: write}}",
    "model without provider": START + "models: {a: {model: gpt-5}}",
    "bad duration": START + "budget: {time: 3 weeks}",
    "bad number": START + "route: {retry: many}",
    "static without nodes": START + "plan: static",
    "auto with nodes": START + "plan: auto\nnodes: {a: {goal: x}}",
    "bad id": START + "nodes: {a b: {goal: x}}",
}


@pytest.mark.parametrize("name", BAD)
def test_what_the_loader_refuses_the_schema_refuses(name: str) -> None:
    assert not fits(BAD[name])
    with pytest.raises(ConfigError):
        Workflow.from_text(BAD[name])


GOOD = {
    "smallest": START,
    "variables": START + "models: {a: {model: '${env:M:-openai:x}', retries: '${env:R:-2}', api: '${env:A:-chat}'}}",
    "units": START + "budget: {time: 1h30m, tokens: 2M}\nmodels: {a: {model: 'openai:x', rate: {requests: 5/s}}}",
    "nulls": START + "plan:\nnodes: {a: {goal: x, when: }}",
    "map over a list": START + "nodes: {a: {goal: x, map: [1, {b: 2}]}}",
}


@pytest.mark.parametrize("name", GOOD)
def test_what_the_loader_takes_the_schema_takes(name: str) -> None:
    Workflow.from_text(GOOD[name], env={})
    assert fits(GOOD[name])


def test_the_pages_example_of_errors_is_what_the_loader_says() -> None:
    block = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert block
    text = EXAMPLES[0].replace("effort: high", "effort: hgh").replace("[mini, big]", "[mimi, big]")
    text = text.replace("    goal: >-", "    gaol: >-").replace("    goal: Write", "    timeout: 20x\n    goal: Write")
    with pytest.raises(ConfigError) as caught:
        Workflow.from_text(text, source="w.yaml")
    said = [line.split(": ", 1)[1] for line in str(caught.value).splitlines()]
    assert said == [line.split(": ", 1)[1] for line in block[1].splitlines()]


def test_the_loader_needs_no_model_library() -> None:
    code = "import sys, planloom.configs.load; print({'openai', 'langgraph', 'langchain_core'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
