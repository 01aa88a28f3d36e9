import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from planloom.configs.spec import FilesSpec, HttpSpec, PythonSpec, ToolSpec, TrustSpec
from planloom.core.errors import ConfigError, ToolError
from planloom.core.fields import write_field
from planloom.core.json import Json
from planloom.core.plan import ToolName
from planloom.tools.functions import tool
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import MAX_RESULT_BYTES, Toolbox

PYTHON = ToolName("python")


def box_of(specs: dict[str, ToolSpec] | None = None, **functions: Callable[..., object]) -> Toolbox:
    return Toolbox(specs or {}, base_dir=Path("/"), sandbox=Sandbox(), functions=functions)


SPECS = {
    "python": ToolSpec(python=PythonSpec()),
    "notes": ToolSpec(files=FilesSpec(root="."), access="write"),
    "web": ToolSpec(http=HttpSpec(base_url="https://example.com", allow=("GET /*", "DELETE /x"))),
    "db": ToolSpec(sql="sqlite:///x.db"),
}


def test_names_and_effects_are_known_without_opening_anything() -> None:
    assert {name: tool.effect for name, tool in box_of(SPECS).tools.items()} == {
        "python": "pure",
        "notes.read": "read",
        "notes.list": "read",
        "notes.write": "write",
        "web.get": "read",
        "web.request": "write",
        "db.query": "read",
        "db.schema": "read",
    }


def test_a_source_expands_to_its_operations_and_an_operation_to_itself() -> None:
    box = box_of(SPECS)
    assert [tool.name for tool in box.expand("notes")] == ["notes.read", "notes.list", "notes.write"]
    assert [tool.name for tool in box.expand("notes.read")] == ["notes.read"]
    assert [tool.name for tool in box.expand("python")] == ["python"]
    assert box.expand("nope") == box.expand("notes.nope") == box.expand("") == ()


def test_the_catalogue_holds_what_a_planner_needs() -> None:
    for entry in box_of(SPECS).catalogue():
        assert set(entry) == {"name", "description", "parameters", "effect"}
        assert entry["description"]


def test_a_spec_without_a_kind_or_with_two_is_a_fault_of_the_workflow() -> None:
    with pytest.raises(ConfigError) as caught:
        box_of({"a": ToolSpec(), "b": ToolSpec(files=".", sql="sqlite:///x")})
    assert [problem.field for problem in caught.value.problems] == ["tools.a", "tools.b"]


def test_a_name_given_twice_is_a_fault_of_the_workflow() -> None:
    with pytest.raises(ConfigError, match="the program passes a function of this name"):
        box_of(SPECS, python=lambda: 1)


def echo(a: int, b: int = 0) -> list[int]:
    return [a, b]


async def test_fixed_arguments_are_added_and_cannot_be_changed() -> None:
    async with box_of(echo=echo) as box:
        name = ToolName("echo")
        assert await box.call(name, {"a": 1}, fixed={"b": 7}) == [1, 7]
        assert await box.call(name, {"a": 1, "b": 7}, fixed={"b": 7}) == [1, 7]
        with pytest.raises(ToolError, match="argument 'b' is fixed by the plan"):
            await box.call(name, {"a": 1, "b": 8}, fixed={"b": 7})


async def test_an_unknown_tool_is_answered_with_the_known_ones() -> None:
    async with box_of(echo=echo) as box:
        with pytest.raises(ToolError, match="there is no such tool; there are: echo"):
            await box.call(ToolName("ecko"), {})


async def test_too_large_a_result_says_how_to_ask_for_less() -> None:
    def large(n: int) -> str:
        return "x" * n

    async with box_of(large=large) as box:
        with pytest.raises(ToolError, match="ask for less"):
            await box.call(ToolName("large"), {"n": MAX_RESULT_BYTES})


async def test_a_call_that_takes_too_long_is_stopped() -> None:
    stopped = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with box_of({"wait": ToolSpec(timeout=0.05)}, wait=wait) as box:
        with pytest.raises(ToolError, match=r"took longer than 0\.05 s"):
            await box.call(ToolName("wait"), {})
    assert stopped.is_set()


async def test_a_tools_own_timeout_is_told_from_ours() -> None:
    async def wait() -> None:
        raise TimeoutError("theirs")

    async with box_of(wait=wait) as box:
        with pytest.raises(ToolError, match="TimeoutError: theirs"):
            await box.call(ToolName("wait"), {})


async def test_no_more_calls_run_at_once_than_allowed() -> None:
    running, most, gate = 0, 0, asyncio.Event()

    async def work(n: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            gate.set()
        await gate.wait()
        running -= 1
        return n

    async with box_of({"work": ToolSpec(max_parallel=2)}, work=work) as box, asyncio.TaskGroup() as group:
        calls = [group.create_task(box.call(ToolName("work"), {"n": n})) for n in range(6)]
    assert [call.result() for call in calls] == list(range(6))
    assert most == 2


async def test_python_returns_value_and_output(sandbox: Sandbox) -> None:
    specs = {"python": ToolSpec(python=PythonSpec())}
    async with Toolbox(specs, base_dir=Path("/"), sandbox=sandbox) as box:
        found = await box.call(PYTHON, {"code": "print('hi')\nsum(rows)", "inputs": {"rows": [1, 2]}})
        assert found == {"value": 3, "stdout": "hi\n"}


async def test_pythons_errors_come_with_line_and_output_so_that_the_worker_can_mend(sandbox: Sandbox) -> None:
    specs = {"python": ToolSpec(python=PythonSpec())}
    async with Toolbox(specs, base_dir=Path("/"), sandbox=sandbox) as box:
        with pytest.raises(ToolError) as caught:
            await box.call(PYTHON, {"code": "print('so far')\n1 / 0"})
    assert caught.value.message == "ZeroDivisionError: division by zero (line 2)\nprinted before: so far\n"


async def test_what_was_opened_is_closed_when_a_later_source_fails(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    specs = {"a": ToolSpec(sql="csv:a.csv"), "b": ToolSpec(sql="csv:gone.csv")}
    box = Toolbox(specs, base_dir=tmp_path, sandbox=Sandbox())
    with pytest.raises(ConfigError, match=r"tools\.b\.sql"):
        async with box:
            pass


@tool(effect="write", data=["body"])
def send(to: str, body: str, idempotency_key: str) -> str:
    """Send a message."""
    return f"{to}{body}{idempotency_key}"


@tool(effect="write", control=["to"], trust="trusted")
def post(to: str, body: str) -> str:
    """Post a message."""
    return to + body


def drop(table: str) -> str:
    return table


def test_control_parameters_are_declared_or_all_of_a_tool_that_writes() -> None:
    box = box_of({"drop": ToolSpec(effect="write")}, send=send, post=post, drop=drop, echo=echo)
    assert {name: sorted(tool.controls) for name, tool in box.tools.items()} == {
        "send": ["to"],
        "post": ["to"],
        "drop": ["table"],
        "echo": [],
    }
    assert {name for name, tool in box.tools.items() if tool.trust == "trusted"} == {"post"}


def test_the_workflow_has_the_last_word_on_trust_and_control() -> None:
    specs = {"send": ToolSpec(trust="trusted", data=("to", "body")), "echo": ToolSpec(control=("a",))}
    box = box_of(specs, send=send, echo=echo)
    assert (box.tools[ToolName("send")].trust, box.tools[ToolName("send")].controls) == ("trusted", frozenset())
    assert box.tools[ToolName("echo")].controls == {"a"}


class Event(BaseModel):
    id: int
    title: str
    owner: "Owner | None" = None


class Owner(BaseModel):
    account_id: int


@tool(trusted_fields=["[].id"])
def events() -> list[Event]:
    """List all events."""
    return [Event(id=1, title="x")]


def rows() -> dict[str, Json]:
    return {}


def fields(box: Toolbox, name: str) -> set[str]:
    return {write_field(path) for path in box.tools[ToolName(name)].trusted_fields}


def test_single_fields_of_a_result_are_trusted_as_the_owner_says_or_the_workflow() -> None:
    assert fields(box_of({}, events=events), "events") == {"[].id"}
    trust = TrustSpec(fields=("[].owner.account_id", "[].id"))
    box = box_of(
        {"events": ToolSpec(trust=trust), "rows": ToolSpec(trust=TrustSpec(fields=("data[].id",)))},
        events=events,
        rows=rows,
    )
    assert fields(box, "events") == {"[].owner.account_id", "[].id"}
    assert [entry.get("trusted_fields") for entry in box.catalogue()] == [
        ["[].id", "[].owner.account_id"],
        ["data[].id"],
    ]
    assert fields(box_of({"events": ToolSpec(trust="untrusted")}, events=events), "events") == set()


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("id", "tools.events.trust.fields[0]"),
        ("[].uid", "tools.events.trust.fields[0]"),
        ("[].owner.name", "tools.events.trust.fields[0]"),
    ],
)
def test_a_trusted_field_that_no_result_can_have_is_a_fault_of_the_workflow(field: str, place: str) -> None:
    with pytest.raises(ConfigError, match="its results have no such field") as caught:
        box_of({"events": ToolSpec(trust=TrustSpec(fields=(field,)))}, events=events)
    assert [problem.field for problem in caught.value.problems] == [place]


def test_a_pure_tool_makes_no_field_itself() -> None:
    with pytest.raises(ConfigError, match=r"\[\]\.id: a pure tool passes on what it is given"):
        box_of({"events": ToolSpec(effect="pure")}, events=events)


def test_what_is_trusted_as_a_whole_names_no_fields() -> None:
    with pytest.raises(ValueError, match="leave trusted_fields out"):
        tool(trust="trusted", trusted_fields=["id"])
    with pytest.raises(ValueError, match="expected a field such as"):
        tool(trusted_fields=["items[0].id"])


def test_a_control_parameter_that_is_not_there_is_a_fault_of_the_workflow() -> None:
    with pytest.raises(ConfigError, match="no parameter 'b0dy'; there are: body, to") as caught:
        box_of(
            {"send": ToolSpec(data=("b0dy",)), "post": ToolSpec(control=("to",), data=("body",))}, send=send, post=post
        )
    assert [problem.field for problem in caught.value.problems] == ["tools.send.data[0]", "tools.post.data"]
