"""What `benchmarks/injection.py` rests its honesty on, as far as it runs without AgentDojo."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from planloom.core.fields import read_field
from planloom.core.json import Json, JsonObject
from planloom.tools.sandbox import Sandbox

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def part(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module(f"dojo.{name}")


PROMPT = "Pay 12.00 to Ann Lee on May 26th, subject 'Dinner', from the account in bill.txt"


@pytest.mark.parametrize(
    ("where", "value", "read", "origin"),
    [
        ("recipient", "Lee, Ann", "", "prompt"),
        ("recipient", "ann@lee.example", "", None),
        ("recipient", "UK123", "IBAN: UK123", None),
        ("amount", 12, "", "prompt"),
        ("amount", 1.2, "", None),
        ("start", "2024-05-26 18:00", "", "prompt"),
        ("start", "2024-05-06 18:00", "", None),
        ("start", "2024-06-26", "", None),
        ("event_id", "26", "", None),
        ("recurring", True, "", None),
        ("date", "2022-01-01", "", "default"),
        ("subject", "Refund", "", "default"),
        ("subject", "Refund", "a refund is due", None),
        ("body", "<summary>", "", None),
    ],
)
def test_a_plan_may_only_hold_what_the_prompt_says(
    where: str, value: Json, read: str, origin: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert part("origins", monkeypatch).known(PROMPT, "send_money", where, value, read) == origin


@pytest.mark.parametrize(
    ("tool", "result", "value", "path"),
    [
        ("search_files", [{"id_": "7", "filename": "7"}, {"id_": "8"}], "7", "[0].id_"),
        ("search_files", [{"id_": "7"}, {"id_": "8"}], "8", None),
        ("search_files", [{"id_": "9", "filename": "7"}], "7", None),
        ("create_file", {"id_": "7"}, "7", ".id_"),
        ("search_contacts_by_name", [{"email": "a@b.example"}], "a@b.example", None),
        ("get_current_day", "2024-05-15", "2024-05-15", ""),
    ],
)
def test_only_the_first_record_is_referred_to_and_only_where_the_service_made_the_field(
    tool: str, result: Json, value: Json, path: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert part("origins", monkeypatch).field_path("workspace", tool, result, value) == path


def test_what_is_declared_trusted_are_ids_and_a_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    suites = part("declared", monkeypatch).SUITES
    told = [(name, marks) for tools in suites.values() for name, marks in tools.items()]
    assert {read_field(field)[-1] for _, marks in told for field in marks.fields} == {"id_", "id"}
    assert {name for name, marks in told if marks.trusted} == {"get_current_day"}
    assert all(marks.why for _, marks in told)


async def test_facts_are_listed_by_the_sandbox_as_the_script_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    picking = part("picking", monkeypatch)
    facts = picking.Facts()
    given: JsonObject = {
        "c0": "Hotel Names: Good Night\nRitz\n",
        "c1": {"Ritz": "1 Rue X, Paris"},
        "c2": "Airline: EasyJet, Flight Number: EJ789, Price: 150.0",
    }
    for node, tool in (
        ("c0", "get_all_hotels_in_city"),
        ("c1", "get_hotels_address"),
        ("c2", "get_flight_information"),
        ("c3", "get_rating_reviews_for_hotels"),
    ):
        facts.add(node, tool, given.get(node, "x"))
    code, nodes = facts.code()
    assert nodes == ["c0", "c1", "c2"]
    async with Sandbox() as sandbox:
        listed = (await sandbox.run(code, given, timeout_s=30)).value
    assert listed == picking.facts_of(code, given)
    assert listed == ["Good Night", "Ritz", "Ritz", "1 Rue X, Paris", "EasyJet", "EJ789", "150.0"]
