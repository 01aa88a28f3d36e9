"""Programs as MCP servers: what they return, how they fail, and that nothing is left of them."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from mcp_servers import Odd, call, everything, is_alive, opened, workflow_of

from planloom.configs.spec import McpSpec, ToolSpec
from planloom.core.errors import ConfigError, ToolError
from planloom.core.json import Json
from planloom.core.plan import ToolName
from planloom.tools.discover import discover
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox


@pytest.fixture
def odd(tmp_path: Path) -> Odd:
    return Odd(tmp_path)


async def gone(odd: Odd) -> None:
    """Wait until nothing is left of a server; the test's own timeout bounds it."""
    while any(is_alive(pid) for pid in odd.pids):
        await asyncio.sleep(0.01)


async def test_a_tool_answers_and_its_process_ends_with_the_toolbox(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec()) as box:
        assert await call(box, "odd.echo", text="hello") == "hello"
        assert await call(box, "odd.progress") == "done"
    assert len(odd.pids) == 2  # one was asked what there is, one was called
    assert not any(is_alive(pid) for pid in odd.pids)


async def test_only_what_is_allowed_is_there(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec(allow=["echo", "big"])) as box:
        assert sorted(box.tools) == ["odd.big", "odd.echo"]
        with pytest.raises(ToolError, match="no such tool"):
            await call(box, "odd.die")
    with pytest.raises(
        ConfigError, match=r'tools\.odd\.allow\[0\]: the server has no tool "ecoh", did you mean "echo"'
    ):
        await discover(workflow_of(tmp_path, odd=odd.spec(allow=["ecoh"])))


async def test_a_servers_claims_count_only_where_it_is_trusted(odd: Odd, tmp_path: Path) -> None:
    held = await discover(workflow_of(tmp_path, odd=odd.spec()))
    cases: list[tuple[ToolSpec, dict[str, str]]] = [
        (odd.spec(), {"odd.echo": "write", "odd.big": "write"}),
        (odd.spec(trust="trusted"), {"odd.echo": "read", "odd.big": "write"}),
        (odd.spec(effect="read"), {"odd.echo": "read", "odd.big": "read"}),
        (odd.spec(effects={"big": "pure"}), {"odd.echo": "write", "odd.big": "pure"}),
    ]
    for spec, expected in cases:
        tools = Toolbox({"odd": spec}, base_dir=tmp_path, sandbox=Sandbox(), pins=held).tools
        assert {name: tools[ToolName(name)].effect for name in expected} == expected
        assert tools[ToolName("odd.echo")].trust == (spec.trust or "untrusted")


async def test_the_environment_holds_what_the_workflow_names_and_no_secret(
    odd: Odd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    async with opened(tmp_path, odd=odd.spec(env={"CITY": "Bern"})) as box:
        seen = json.loads(str(await call(box, "odd.environment")))
    assert seen.pop("CITY") == "Bern"
    assert set(seen) <= {"PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "LC_CTYPE"}


async def test_a_secret_of_the_environment_is_not_in_an_error(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec(env={"TOKEN": "tok-123456"})) as box:
        with pytest.raises(ToolError, match=r"the token \*\*\* is wrong"):
            await call(box, "odd.secret")


async def test_a_server_that_dies_fails_the_call_and_is_there_for_the_next(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec()) as box:
        with pytest.raises(ToolError, match=r"exit code 3.*out of cheese"):
            await call(box, "odd.die")
        assert await call(box, "odd.echo", text="again") == "again"


async def test_a_server_that_is_killed_fails_all_calls_under_way(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec()) as box:

        async def hang() -> str:
            with pytest.raises(ToolError) as caught:
                await call(box, "odd.hang")
            return caught.value.message

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(hang()) for _ in range(3)]
            while odd.noted("calls").count("hang") < 3:
                await asyncio.sleep(0.01)
            os.kill(odd.pids[-1], signal.SIGKILL)
        assert all("exit code 137" in task.result() for task in tasks)
        assert await call(box, "odd.echo", text="again") == "again"


async def test_a_server_that_keeps_dying_is_left_alone(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec()) as box:
        for _ in range(4):
            with pytest.raises(ToolError, match="exit code 3"):
                await call(box, "odd.die")
        with pytest.raises(ToolError, match="started 4 times without answering a call"):
            await call(box, "odd.echo", text="again")
    assert len(odd.noted("started")) == 5


async def test_a_call_that_takes_too_long_is_cancelled_at_the_server(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec(timeout="3s")) as box:
        with pytest.raises(ToolError, match=r"took longer than 3 s"):
            await call(box, "odd.hang")
        assert await call(box, "odd.echo", text="alive") == "alive"
    assert len(odd.noted("cancelled")) == 1
    assert len(odd.noted("started")) == 2  # it answered, so it was not started anew


async def test_a_server_that_hangs_is_started_anew(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec(timeout="3s")) as box:
        with pytest.raises(ToolError, match="took longer"):
            await call(box, "odd.block")
        while len(odd.noted("started")) < 3 or odd.noted("calls")[-1] != "echo":
            with suppress(ToolError):  # a slow machine may need longer than a call has
                assert await call(box, "odd.echo", text="alive") == "alive"
    assert len(odd.noted("started")) == 3
    assert not any(is_alive(pid) for pid in odd.pids)


async def test_fifty_megabytes_are_refused_while_they_arrive(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec()) as box:
        with pytest.raises(ToolError, match="a message of more than 4000000 bytes; ask it for less"):
            await call(box, "odd.big")
        assert await call(box, "odd.echo", text="again") == "again"
    async with opened(tmp_path, odd=odd.spec(max_bytes="200M")) as box:
        with pytest.raises(ToolError, match="bytes of result are more than 200000"):
            await call(box, "odd.big")


async def test_garbage_on_standard_output_is_passed_over(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec("noisy")) as box:
        assert await call(box, "odd.garbage") == "after the garbage"
        with pytest.raises(ToolError, match="its standard output holds what is no message: Welcome to the odd server!"):
            await call(box, "odd.die")


async def test_a_stubborn_server_and_what_it_started_are_ended(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec("stubborn")) as box:
        await call(box, "odd.spawn")
        assert is_alive(odd.pids[-1])
    await gone(odd)


async def test_what_a_server_started_ends_with_it_when_it_dies(odd: Odd, tmp_path: Path) -> None:
    async with opened(tmp_path, odd=odd.spec()) as box:
        await call(box, "odd.spawn")
        with pytest.raises(ToolError):
            await call(box, "odd.die")
        await gone(odd)


async def test_cancelling_leaves_no_process(odd: Odd, tmp_path: Path) -> None:
    held = await discover(workflow_of(tmp_path, odd=odd.spec()))

    async def work() -> None:
        async with opened(tmp_path, held, odd=odd.spec("stubborn")) as box:
            await call(box, "odd.hang")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(work())
        while not odd.noted("calls"):
            await asyncio.sleep(0.01)
        task.cancel()
    await gone(odd)


KILLED = """
import asyncio, sys
from pathlib import Path
from planloom.configs.spec import McpSpec
from planloom.tools.mcp_session import Session

async def main() -> None:
    async with asyncio.TaskGroup() as group:
        session = Session(McpSpec(command=tuple(sys.argv[1:])), Path("."))
        await session.start(group)
        await session.call("spawn", {})
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_kill_9_of_planloom_leaves_no_server_behind(odd: Odd) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", KILLED, *odd.command("stubborn"), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"ready\n"
    assert len(odd.pids) == 2
    assert all(is_alive(pid) for pid in odd.pids)
    child.kill()
    await child.wait()
    await gone(odd)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("/nowhere/server",), r"exit code 127; its standard error ends with: /nowhere/server: No such file"),
        (
            (sys.executable, "-c", "raise SystemExit('no config')"),
            "exit code 1; its standard error ends with: no config",
        ),
        ((sys.executable, "-c", "print('usage: server [options]')"), "is no message: usage: server"),
    ],
)
async def test_a_program_that_is_no_server_is_named_with_what_it_said(
    tmp_path: Path, command: tuple[str, ...], message: str
) -> None:
    spec = ToolSpec(mcp=McpSpec(command=command))
    with pytest.raises(ConfigError, match=rf"tools\.odd\.mcp: the server cannot be used: .*{message}"):
        await discover(workflow_of(tmp_path, odd=spec))


async def test_a_server_that_says_nothing_is_given_up(odd: Odd, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"it did not answer within 0\.5 s"):
        await discover(workflow_of(tmp_path, odd=odd.spec("silent", start="500ms")))
    assert not any(is_alive(pid) for pid in odd.pids)


async def test_the_protocols_own_test_server_gives_every_kind_of_content(tmp_path: Path) -> None:
    allow = [
        "echo",
        "get-sum",
        "get-tiny-image",
        "get-structured-content",
        "get-resource-links",
        "get-resource-reference",
    ]
    spec = ToolSpec(mcp=McpSpec(command=everything()), allow=tuple(allow))
    async with opened(tmp_path, all=spec) as box:
        assert await call(box, "all.echo", message="hello") == "Echo: hello"
        assert await call(box, "all.get-sum", a=2, b=40) == "The sum of 2 and 40 is 42."
        weather = await call(box, "all.get-structured-content", location="Chicago")
        assert isinstance(weather, dict)
        assert set(weather) == {"temperature", "conditions", "humidity"}
        assert (await kinds(box, "all.get-tiny-image"))[1] == {
            "type": "image",
            "mime_type": "image/png",
            "size_bytes": 4035,
        }
        link = (await kinds(box, "all.get-resource-links", count=1))[-1]
        assert (link["type"], set(link) >= {"uri", "name"}) == ("resource_link", True)
        parts = await kinds(box, "all.get-resource-reference", resourceType="Text", resourceId=1)
        assert "text" in next(part for part in parts if part["type"] == "resource")
        with pytest.raises(ToolError, match=r"arguments\.a"):
            await call(box, "all.get-sum", a="two", b=1)


async def kinds(box: Toolbox, name: str, **args: Json) -> list[dict[str, Json]]:
    parts = await call(box, name, **args)
    assert isinstance(parts, list)
    return [part for part in parts if isinstance(part, dict)]


async def test_a_published_python_server_answers_and_says_what_is_wrong(tmp_path: Path) -> None:
    spec = ToolSpec(mcp=McpSpec(command=(sys.executable, "-P", "-m", "mcp_server_time", "--local-timezone=UTC")))
    async with opened(tmp_path, clock=spec) as box:
        same = await call(box, "clock.convert_time", source_timezone="UTC", target_timezone="Asia/Tokyo", time="12:00")
        assert "21:00" in json.dumps(same)
        with pytest.raises(ToolError, match="Mars"):
            await call(box, "clock.get_current_time", timezone="Mars/Olympus")
