import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from planloom.configs.spec import ToolSpec
from planloom.core.errors import ConfigError, ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import ToolName
from planloom.tools.functions import load_function, marks_of, tool
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

F = ToolName("f")


class Colour(Enum):
    RED = "red"


class Point(BaseModel):
    x: int
    y: int = 0


@dataclass
class Sum:
    total: float
    day: date


def add(a: int, b: float = 2.5, *, schema: str = "s") -> float:
    """Add two numbers.

    Whatever they are.
    """
    return a + b


def plan(
    day: date, colour: Colour, point: Point, tags: list[Literal["a", "b"]], n: Annotated[int, Field(ge=1)] = 1
) -> Sum:
    return Sum(total=point.x + point.y + len(tags) + n, day=day)


async def later(x: int) -> dict[str, int]:
    return {"x": x}


@tool(effect="write", description="Pay.")
async def pay(amount: int, idempotency_key: str = "none") -> str:
    """Not shown."""
    return f"{amount} {idempotency_key}"


class Shop:
    """Something an embedding program holds."""

    def __init__(self) -> None:
        self.sold: list[str] = []

    def sell(self, thing: str) -> int:
        """Sell one."""
        self.sold.append(thing)
        return len(self.sold)

    async def __call__(self, thing: str) -> str:
        """Look one up."""
        return thing.upper()


def fails(x: int) -> int:
    raise KeyError("no such row")


def not_json(x: int) -> object:
    return object()


def endless_value(x: int) -> float:
    return float("inf")


def box_of(function: Callable[..., object]) -> Toolbox:
    return Toolbox({}, base_dir=Path("/"), sandbox=Sandbox(), functions={"f": function})


async def call(function: Callable[..., object], args: JsonObject, key: str = "") -> Json:
    async with box_of(function) as box:
        return await box.call(F, args, idempotency_key=key)


def test_the_schema_comes_from_the_signature_and_the_description_from_the_docstring() -> None:
    made = box_of(add).tools[F]
    assert made.parameters == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "number", "default": 2.5},
            "schema": {"type": "string", "default": "s"},
        },
        "required": ["a"],
        "additionalProperties": False,
    }
    assert made.description == "Add two numbers.\n\nWhatever they are."
    assert made.effect == "read"


async def test_arguments_become_what_the_hints_say_and_results_become_json() -> None:
    args: JsonObject = {"day": "2026-01-31", "colour": "red", "point": {"x": 3}, "tags": ["a", "b"]}
    assert await call(plan, args) == {"total": 6, "day": "2026-01-31"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"day": "tomorrow"}, "arguments.day"),
        ({"colour": "blue"}, "red"),
        ({"point": {"x": "three"}}, r"arguments\.point\.x"),
        ({"point": {"y": 1}}, "x"),
        ({"tags": ["c"]}, r"arguments\.tags\[0\]"),
        ({"n": 0}, r"arguments\.n"),
        ({"other": 1}, "no argument 'other'; it takes: day, colour, point, tags, n"),
        ({"day": None}, r"arguments\.day"),
    ],
)
async def test_arguments_that_do_not_fit_are_named(change: JsonObject, message: str) -> None:
    args: JsonObject = {"day": "2026-01-31", "colour": "red", "point": {"x": 3}, "tags": [], **change}
    with pytest.raises(ToolError, match=message):
        await call(plan, args)


async def test_a_missing_argument_is_named() -> None:
    with pytest.raises(ToolError, match="a"):
        await call(add, {})


async def test_async_functions_are_awaited() -> None:
    assert await call(later, {"x": 2}) == {"x": 2}


async def test_methods_and_callable_objects_are_functions_too() -> None:
    shop = Shop()
    assert await call(shop.sell, {"thing": "pen"}) == 1
    assert await call(shop, {"thing": "pen"}) == "PEN"
    assert box_of(shop.sell).tools[F].description == "Sell one."


async def test_the_idempotency_key_is_filled_in_and_never_offered() -> None:
    made = box_of(pay).tools[F]
    assert made.idempotency_parameter == "idempotency_key"
    assert made.parameters["properties"] == {"amount": {"type": "integer"}}
    assert await call(pay, {"amount": 5}, key="k-1") == "5 k-1"
    assert await call(pay, {"amount": 5}) == "5 none"
    with pytest.raises(ToolError, match="no argument 'idempotency_key'"):
        await call(pay, {"amount": 5, "idempotency_key": "forged"})


def test_the_decorator_sets_effect_and_description_and_the_spec_has_the_last_word() -> None:
    made = box_of(pay).tools[F]
    assert (made.effect, made.description) == ("write", "Pay.")
    marks = marks_of(pay)
    assert marks is not None
    spec = ToolSpec(effect="pure", description="Mine.", timeout=3)
    box = Toolbox({"f": spec}, base_dir=Path("/"), sandbox=Sandbox(), functions={"f": pay})
    assert (box.tools[F].effect, box.tools[F].description, box.tools[F].timeout_s) == ("pure", "Mine.", 3)


@pytest.mark.parametrize(
    ("function", "message"),
    [(fails, "KeyError: 'no such row'"), (not_json, "its result is not JSON")],
)
async def test_what_a_function_raises_or_returns_wrongly_is_a_tool_error(
    function: Callable[..., object], message: str
) -> None:
    with pytest.raises(ToolError, match=message):
        await call(function, {"x": 1})


async def test_an_infinite_number_becomes_null() -> None:
    assert await call(endless_value, {"x": 1}) is None


def test_a_function_is_found_in_the_folder_of_the_workflow(tmp_path: Path) -> None:
    (tmp_path / "house_rules_7.py").write_text("def f(x: int) -> int:\n    return x + 1\n")
    path = list(sys.path)
    function = load_function("house_rules_7:f", tmp_path)
    assert function(1) == 2
    assert sys.path == path


SOURCE = """
import datetime
value = 3
def untyped(a): return a
def many(*args: int): return args
def named(**more: int): return more
def strange(a: 'Nowhere') -> int: return 1
def unusual(a: datetime.tzinfo) -> int: return 1
def by_place(a: int, /) -> int: return 1
"""


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("no_such_module_7:f", "there is no module 'no_such_module_7'"),
        ("faulty_tools_7:gone", "has no 'gone'"),
        ("faulty_tools_7:value", "is not callable"),
        ("faulty_tools_7:untyped", "parameter 'a' has no type hint"),
        ("faulty_tools_7:many", "cannot be given by name"),
        ("faulty_tools_7:named", "cannot be given by name"),
        ("faulty_tools_7:by_place", "cannot be given by name"),
        ("faulty_tools_7:strange", "Nowhere"),
        ("faulty_tools_7:unusual", "tzinfo"),
        ("broken_tools_7:f", "importing 'broken_tools_7' failed: ZeroDivisionError"),
        ("needy_tools_7:f", "there is no module 'not_installed_7'"),
        ("unparsable_tools_7:f", "importing 'unparsable_tools_7' failed: SyntaxError"),
    ],
)
def test_a_reference_that_cannot_serve_is_a_fault_of_the_workflow(tmp_path: Path, ref: str, message: str) -> None:
    (tmp_path / "faulty_tools_7.py").write_text(SOURCE)
    (tmp_path / "broken_tools_7.py").write_text("1 / 0")
    (tmp_path / "needy_tools_7.py").write_text("import not_installed_7")
    (tmp_path / "unparsable_tools_7.py").write_text("def f(:")
    with pytest.raises(ConfigError, match=message) as caught:
        Toolbox({"f": ToolSpec(ref=ref)}, base_dir=tmp_path, sandbox=Sandbox())
    assert caught.value.problems[0].field == "tools.f.ref"
