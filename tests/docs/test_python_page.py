"""What docs/python.md shows runs and prints what it says; its tables name what the classes hold."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest
from programs import run

from planloom.core import errors
from planloom.core.events import EVENT_TYPES
from planloom.core.result import AttemptRecord, DecisionRecord, NodeRecord, PendingApproval, RunResult
from planloom.engine import Engine
from planloom.handle import RunHandle
from planloom.models.base import Reply, Request
from planloom.state.journal import RunSummary

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "python.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
TITLES = [part.splitlines()[0] for part in PAGE.split("\n## ") if "```python" in part]


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def missing(names: list[str], text: str) -> list[str]:
    return [name for name in names if not re.search(rf"`(await )?\.?{name}\b", text)]


def held(cls: type) -> list[str]:
    return [field.name for field in fields(cls)]


@pytest.mark.parametrize("code", SNIPPETS, ids=TITLES)
def test_every_snippet_runs_and_prints_what_its_comments_say(code: str, tmp_path: Path) -> None:
    done = run(code, folder=tmp_path)
    assert done.code == 0, done.err
    promised = re.findall(r"  # prints (.+)", code)
    assert promised
    assert [text for text in promised if text not in done.out] == [], done.out


def test_the_events_and_their_fields_stand_in_the_table_in_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", section("Follow a run").split("### Events")[1], re.M)
    written = [(name, re.findall(r"`(\w+)`", cells)) for name, cells in rows]
    assert written == [(name, [f for f in held(cls) if f != "at"]) for name, cls in EVENT_TYPES.items()]


def test_every_method_and_argument_of_the_engine_and_the_handle_is_named() -> None:
    engine = [name for name in vars(Engine) if not name.startswith("_")]
    arguments = list(inspect.signature(Engine).parameters)
    assert missing(engine + arguments + held(RunSummary), section("The engine")) == []
    inner = {"started", "failed", "walks"}  # the engine calls these
    handle = [name for name in vars(RunHandle) if not name.startswith("_") and name not in inner]
    assert missing(handle, section("Follow a run")) == []


def test_every_field_of_a_result_is_named() -> None:
    records = (RunResult, NodeRecord, AttemptRecord, DecisionRecord, PendingApproval)
    assert missing([name for cls in records for name in held(cls)], section("The result")) == []


def test_every_field_of_a_request_and_a_reply_is_named() -> None:
    opaque = {"carry", "ticket"}  # for providers and their batches; no business of a plugged model
    assert (
        missing([n for cls in (Request, Reply) for n in held(cls) if n not in opaque], section("Plug in a model")) == []
    )


def test_every_error_that_a_caller_meets_is_named() -> None:
    inside = {"NodeError", "ModelError", "CheckError"}  # values, by the time a caller sees them
    public = [name for name, cls in vars(errors).items() if inspect.isclass(cls) and issubclass(cls, Exception)]
    assert missing([name for name in public if name not in inside], section("Errors")) == []


def test_every_link_of_the_page_leads_somewhere() -> None:
    for file, anchor in re.findall(r"\]\(([\w.-]*)#?([\w-]*)\)", PAGE):
        page = (DOCS / file).read_text(encoding="utf-8") if file else PAGE
        titles = [re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in re.findall(r"^#+ (.+)$", page, re.M)]
        assert not anchor or anchor in titles, (file, anchor)
