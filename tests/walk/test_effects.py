"""Writes: the intent before, the outcome after, and no write made twice without leave."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support import MakeWorkflow, ServeModel

from planloom import ToolError, tool
from planloom.core.events import EffectEnded, EffectStarted
from planloom.engine import Engine

SEND = "nodes: {a: {tool: send, with: {text: hi}}}\n"


class Post:
    """A receiver of letters that can be cut off before or after a letter is in the box."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        self.keys: list[str] = []
        self.begun = asyncio.Event()
        self.hang = True

    async def send(self, text: str) -> str:
        """Send a letter, and never hear that it arrived."""
        self.letters.append(text)
        self.begun.set()
        if self.hang:
            await asyncio.sleep(30)
        return f"sent {text}"

    def found(self, text: str) -> str | None:
        """Return what `send` returned if the letter is in the box."""
        return f"sent {text}" if text in self.letters else None


async def cut_off(workflow: object, function: Callable[..., object], post: Post, journal: Path) -> str:
    """Run until the letter is under way, cancel, and return the run's id."""
    async with Engine(journal=journal, tools={"send": function}) as engine:
        handle = await engine.submit(workflow)  # type: ignore[arg-type]
        await post.begun.wait()
        await handle.cancel()
        post.hang = False
        return handle.run_id


async def test_a_write_that_verify_finds_is_not_made_again(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    post = Post()
    send = tool(effect="write", verify=post.found)(lambda text: post.send(text))
    send.__annotations__ = {"text": str, "return": str}
    workflow = make_workflow(SEND, models="")
    run_id = await cut_off(workflow, send, post, tmp_path / "j.db")
    async with Engine(journal=tmp_path / "j.db", tools={"send": send}) as engine:
        result = await engine.resume(run_id)
        told = [event for event in await engine.history(run_id) if isinstance(event, EffectEnded)]
    assert (result.status, result.output) == ("done", "sent hi")
    assert post.letters == ["hi"]
    assert [(event.outcome, event.told_by) for event in told] == [("unknown", "tool"), ("done", "verify")]


async def test_a_write_that_verify_does_not_find_is_made(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    post = Post()

    def never(text: str) -> bool:
        return False

    @tool(effect="write", verify=never)
    async def send(text: str) -> str:
        return await post.send(text)

    run_id = await cut_off(make_workflow(SEND, models=""), send, post, tmp_path / "j.db")
    async with Engine(journal=tmp_path / "j.db", tools={"send": send}) as engine:
        result = await engine.resume(run_id)
    assert result.status == "done", result.error
    assert post.letters == ["hi", "hi"]
    assert [effect.outcome for effect in result.nodes["a"].effects] == ["done"]


async def test_a_human_is_asked_when_verify_cannot_tell(make_workflow: MakeWorkflow, tmp_path: Path) -> None:
    post = Post()

    def lost(text: str) -> bool:
        raise ToolError("send", "the post office is closed")

    @tool(effect="write", verify=lost)
    async def send(text: str) -> str:
        return await post.send(text)

    run_id = await cut_off(make_workflow(SEND, models=""), send, post, tmp_path / "j.db")
    async with Engine(journal=tmp_path / "j.db", tools={"send": send}) as engine:
        result = await engine.resume(run_id)
    assert result.status == "waiting"
    assert post.letters == ["hi"]
    assert result.nodes["a"].effects[0].error == "the post office is closed"


async def test_a_cut_off_attempt_that_had_not_written_yet_is_made_again_without_asking(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    post = Post()
    post.hang = False
    rules = [{"when": {"tool_results": 1}, "text": "ok"}, {"delay": "30s", "times": 1, "text": "slow"}]
    rules.append({"tool_calls": [{"name": "send", "args": {"text": "x"}}]})
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))

    @tool(effect="write")
    async def send(text: str) -> str:
        return await post.send(text)

    workflow = make_workflow("nodes: {a: {goal: send, tools: [send]}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url, tools={"send": send}) as engine:
        handle = await engine.submit(workflow)
        while not server.requests:
            await asyncio.sleep(0.005)
        await handle.cancel()
        result = await engine.resume(handle.run_id)
    assert result.status == "done", result.error
    assert post.letters == ["x"]


async def test_an_intent_is_durable_before_the_call_and_the_outcome_before_the_commit(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    seen: list[list[str]] = []

    @tool(effect="write")
    async def send(text: str) -> str:
        async with Engine(journal=tmp_path / "j.db") as other:
            seen.append([type(event).__name__ for event in await other.history("last")])
        return text

    async with Engine(journal=tmp_path / "j.db", tools={"send": send}) as engine:
        result = await engine.run(make_workflow(SEND, models=""))
        kinds = [type(event).__name__ for event in await engine.history(result.run_id)]
    assert result.status == "done", result.error
    assert seen[0][-1] == "EffectStarted"
    assert kinds.index("EffectStarted") < kinds.index("EffectEnded") < kinds.index("NodeCommitted")


@pytest.mark.parametrize("repeat", [True, False])
async def test_the_nth_call_of_a_tool_has_the_same_key_in_every_attempt(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path, repeat: bool
) -> None:
    keys: list[tuple[str, str]] = []

    @tool(effect="write", trust="trusted")
    async def send(text: str, idempotency_key: str) -> str:
        keys.append((text, idempotency_key))
        return text

    def call(text: str) -> dict[str, object]:
        return {"name": "send", "args": {"text": text}}

    rules = [
        {"when": {"attempt": [1], "tool_results": 0}, "tool_calls": [call("one"), call("two")]},
        {"when": {"attempt": [1]}, "text": "bad"},
        {"when": {"tool_results": 0}, "tool_calls": [call("one" if repeat else "uno"), call("two")]},
        {"text": "good"},
    ]
    server = await serve_model(json.dumps({"rehearsal": 1, "rules": rules}))
    workflow = make_workflow("nodes: {a: {goal: x, tools: [send], checks: [{expr: 'output == \"good\"'}]}}\n")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url, tools={"send": send}) as engine:
        result = await engine.run(workflow)
        intents = [event for event in await engine.history(result.run_id) if isinstance(event, EffectStarted)]
    assert result.status == "done", result.error
    assert keys[0][1] != keys[1][1]
    if repeat:  # what is done stands: the calls of the second attempt are not made
        assert [text for text, _ in keys] == ["one", "two"]
        assert len(intents) == 2
    else:  # other words for the same call: the receiver sees the key it knows
        assert [text for text, _ in keys] == ["one", "two", "uno"]
        assert keys[2][1] == keys[0][1]


async def test_a_verify_function_of_the_workflow_is_found_beside_it(
    make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    (tmp_path / "post_tools.py").write_text(
        "from pathlib import Path\n"
        "BOX = Path(__file__).with_name('box.txt')\n"
        "def send(text: str) -> str:\n"
        "    BOX.write_text(text)\n"
        "    raise OSError('the line went dead')\n"
        "def look(text: str) -> str | None:\n"
        "    return 'found' if BOX.exists() and BOX.read_text() == text else None\n"
    )
    source = 'tools: {send: {ref: "post_tools:send", effect: write, verify: "post_tools:look"}}\n'
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(make_workflow(source + SEND, models=""))
    assert (result.status, result.output) == ("done", "found"), result.error
    assert [decision.action for decision in result.decisions] == ["retry"]
