"""Workflows as AG-UI agents: every event against the protocol's own models, and its published client in Node.js."""

import asyncio
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

import ag_ui.core as ag
import httpx
import jsonpatch
from node_packages import AG_UI, node
from pydantic import TypeAdapter
from service_support import BROKEN, Gate, Serve, settled

from planloom.core.json import Json, JsonObject

EVENT: TypeAdapter[ag.Event] = TypeAdapter(ag.Event)
TALK = """
version: 1
name: talk
inputs: {task: {type: string}, tone: {type: string}, messages: {type: array}, context: {type: array}}
nodes:
  said:
    code: "{'task': task, 'tone': tone, 'turns': len(all), 'known': known}"
    with: {task: "${inputs.task}", tone: "${inputs.tone}", all: "${inputs.messages}", known: "${inputs.context}"}
output: "${nodes.said.output}"
"""
TWICE = """
version: 1
name: twice
nodes:
  one: {code: "1", approve: true}
  two: {code: "2", approve: true}
  last: {code: "a + b", with: {a: "${nodes.one.output}", b: "${nodes.two.output}"}}
output: "${nodes.last.output}"
"""


def asked(run: str, said: Iterable[str] = (), **more: object) -> JsonObject:
    messages = [ag.UserMessage(id=f"m{number}", content=text) for number, text in enumerate(said)]
    return ag.RunAgentInput(thread_id="t", run_id=run, messages=messages, **more).model_dump(by_alias=True, mode="json")


async def run(http: httpx.AsyncClient, name: str, body: JsonObject, **headers: str) -> list[ag.Event]:
    found: list[ag.Event] = []
    async with http.stream("POST", f"/ag-ui/{name}", json=body, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                found.append(EVENT.validate_json(line[6:]))
                assert not found[-1].model_extra, "not a field of the protocol"
    return found


def state_of(events: list[ag.Event]) -> JsonObject:
    """Apply snapshots and deltas as a client does."""
    state: JsonObject = {}
    for event in events:
        if isinstance(event, ag.StateSnapshotEvent):
            state = event.snapshot
        elif isinstance(event, ag.StateDeltaEvent):
            state = jsonpatch.apply_patch(state, [item.model_dump() for item in event.delta])
    return state


def interrupts_of(events: list[ag.Event]) -> list[ag.Interrupt]:
    end = events[-1]
    assert isinstance(end, ag.RunFinishedEvent)
    assert isinstance(end.outcome, ag.RunFinishedInterruptOutcome)
    return end.outcome.interrupts


def resolved(interrupt: ag.Interrupt, **payload: Json) -> list[ag.ResumeEntry]:
    return [ag.ResumeEntry(interrupt_id=interrupt.id, status="resolved", payload=payload)]


async def test_a_run_is_told_as_steps_state_calls_and_a_message(serve: Serve, gate: Gate) -> None:
    gate.open.set()
    async with serve() as site, await site.client() as http:
        events = await run(http, "gated", asked("r1"))
        kinds = [event.type.value for event in events]
        assert kinds[:2] == ["RUN_STARTED", "STATE_SNAPSHOT"]
        assert (events[0].protocol_version, events[0].thread_id, events[0].run_id) == (ag.PROTOCOL_VERSION, "t", "r1")
        for start, end in (("STEP_STARTED", "STEP_FINISHED"), ("TOOL_CALL_START", "TOOL_CALL_RESULT")):
            assert kinds.count(start) == kinds.count(end) > 0
        assert [event.step_name for event in events if isinstance(event, ag.StepStartedEvent)] == ["one", "wait", "two"]
        thoughts = "".join(event.delta for event in events if isinstance(event, ag.ReasoningMessageContentEvent))
        assert "two: done" in thoughts
        said = [event.delta for event in events if isinstance(event, ag.TextMessageContentEvent)]
        assert said == ["42"]
        assert (events[-1].outcome.type, events[-1].result) == ("success", 42)
        state = state_of(events)
        record = (await http.get(f"/runs/{state['run_id']}")).json()
        assert (state["status"], state["workflow"], state["pending"]) == ("done", "gated", {})
        assert {name: item["state"] for name, item in state["nodes"].items()} == dict.fromkeys(record["nodes"], "done")
        assert state["nodes"]["two"]["needs"] == ["wait"]


async def test_elements_of_a_map_are_counted_at_their_node(serve: Serve, gate: Gate) -> None:
    gate.open.set()
    async with serve() as site, await site.client() as http:
        events = await run(http, "many", asked("r", forwarded_props={"inputs": {"items": [1, 2, 3]}}))
        nodes = state_of(events)["nodes"]
        assert sorted(nodes) == ["each", "last", "wait"]
        assert nodes["each"]["elements"] == {"done": 3}


async def test_messages_context_and_named_inputs_fill_the_inputs(serve: Serve) -> None:
    async with serve(more=[TALK]) as site, await site.client() as http:
        known = [ag.Context(description="where", value="Bern")]
        body = asked("r", ["first", "second"], context=known, forwarded_props={"inputs": {"tone": "dry"}})
        picture = {"type": "image", "source": {"type": "url", "value": "https://x"}}
        body["messages"][1]["content"] = [{"type": "text", "text": "second"}, picture]
        events = await run(http, "talk", body)
        known_as = [{"description": "where", "value": "Bern"}]
        assert events[-1].result == {"task": "second", "tone": "dry", "turns": 2, "known": known_as}


async def test_a_failed_run_is_an_error_and_a_cancelled_one_is_not(serve: Serve, gate: Gate) -> None:
    async with serve(more=[BROKEN]) as site, await site.client() as http:
        events = await run(http, "broken", asked("r1"))
        assert isinstance(events[-1], ag.RunErrorEvent)
        assert (events[-1].code, "is failed" in events[-1].message) == ("run-failed", True)
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(run(http, "gated", asked("r2")))
            while not gate.calls:
                await asyncio.sleep(0.01)
            (line,) = (await http.get("/runs?workflow=gated")).json()["runs"]
            await http.post(f"/runs/{line['run_id']}/cancel")
        events = telling.result()
        assert events[-1].outcome.type == "cancelled"
        kinds = [event.type.value for event in events]
        assert kinds.count("STEP_STARTED") == kinds.count("STEP_FINISHED") == 2


async def test_an_interrupt_is_answered_once_and_the_run_goes_on(serve: Serve) -> None:
    async with serve() as site, await site.client() as http:
        held = await run(http, "careful", asked("r1"))
        (interrupt,) = interrupts_of(held)
        assert (interrupt.reason, interrupt.response_schema["required"]) == ("confirmation", ["approved"])
        assert interrupt.metadata["planloom"]["pending"]["node_id"] == "send"
        assert state_of(held)["pending"]["send"]["kind"] == "approval"
        body = asked("r2", resume=resolved(interrupt, approved=True, note="go"))
        events = await run(http, "careful", body)
        assert events[-1].result == "Dear all, it is done."
        assert isinstance(events[1], ag.StateSnapshotEvent)
        assert events[1].snapshot["status"] == "waiting"
        assert state_of(events)["nodes"]["send"]["state"] == "done"
        assert [event.step_name for event in events if isinstance(event, ag.StepStartedEvent)] == ["send"]
        assert (await run(http, "careful", {**body, "runId": "r3"}))[-1].result == "Dear all, it is done."
        other = asked("r4", resume=resolved(interrupt, approved=False))
        refused = await http.post("/ag-ui/careful", json=other)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:planloom:problem:conflict")
        said = [entry["action"] for entry in (await http.get("/audit")).json()["entries"]]
        assert said.count("run.approve") == 1


async def test_what_is_not_answered_stays_open_and_what_is_given_up_is_refused(serve: Serve) -> None:
    async with serve(more=[TWICE]) as site, await site.client() as http:
        first, second = interrupts_of(await run(http, "twice", asked("r1")))
        (left,) = interrupts_of(await run(http, "twice", asked("r2", resume=resolved(first, approved=True))))
        assert left.id == second.id
        given_up = [ag.ResumeEntry(interrupt_id=left.id, status="cancelled")]
        events = await run(http, "twice", asked("r3", resume=given_up))
        assert isinstance(events[-1], ag.RunErrorEvent)
        assert state_of(events)["nodes"]["two"]["state"] == "failed"


async def test_only_answers_that_fit_are_taken(serve: Serve) -> None:
    async with serve(more=[TWICE]) as site, await site.client() as http, await site.client("rival") as rival:
        (interrupt,) = interrupts_of(await run(http, "careful", asked("r1")))
        other = interrupts_of(await run(http, "twice", asked("r2")))[0]
        yes = resolved(interrupt, approved=True)

        async def status(who: httpx.AsyncClient, name: str, resume: list[ag.ResumeEntry]) -> int:
            return (await who.post(f"/ag-ui/{name}", json=asked("r", resume=resume))).status_code

        assert await status(rival, "careful", yes) == 404
        assert await status(http, "twice", yes) == 404
        assert await status(http, "careful", yes + resolved(other, approved=True)) == 422
        assert await status(http, "careful", resolved(interrupt, approved=True, editedArgs={})) == 422
        assert await status(http, "careful", [ag.ResumeEntry(interrupt_id=interrupt.id, status="resolved")]) == 422
        assert await status(http, "careful", [ag.ResumeEntry(interrupt_id="int-1", status="cancelled")]) == 422
        async with await site.client(role="runner") as runner, await site.client(role="approver") as approver:
            assert await status(runner, "careful", yes) == 403
            assert (await approver.post("/ag-ui/careful", json=asked("r"))).status_code == 403
            events = await run(approver, "careful", asked("r9", resume=yes))
            assert events[-1].result == "Dear all, it is done."


async def test_a_client_that_leaves_ends_its_run_unless_it_has_a_key_to_come_back_with(
    serve: Serve, gate: Gate
) -> None:
    async with serve() as site, await site.client() as http:
        for number, headers in enumerate(({}, {"Idempotency-Key": "back"}), start=1):
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(run(http, "gated", asked("r"), **headers))
                while gate.calls < number:
                    await asyncio.sleep(0.01)
                telling.cancel()
        kept, left = (line["run_id"] for line in (await http.get("/runs")).json()["runs"])
        assert (await settled(http, left))["status"] == "cancelled"
        gate.open.set()
        events = await run(http, "gated", asked("r"), **{"Idempotency-Key": "back"})
        assert (events[-1].result, state_of(events)["run_id"]) == (42, kept)


JOURNEY = """
import { HttpAgent } from "CLIENT";

const [, , base, key] = process.argv;
const agent = new HttpAgent({ url: `${base}/v1/ag-ui/careful`, headers: { Authorization: `Bearer ${key}` } });
agent.addMessage({ id: "m1", role: "user", content: "please" });
const seen = [];
agent.subscribe({ onEvent: ({ event }) => { seen.push(event.type); } });
await agent.runAgent();
const [held] = agent.pendingInterrupts;
const between = structuredClone(agent.state);
const resume = [{ interruptId: held.id, status: "resolved", payload: { approved: true } }];
const { result, newMessages } = await agent.runAgent({ resume });
console.log(JSON.stringify({
  held, between, result, seen, state: agent.state, left: agent.pendingInterrupts.length,
  said: newMessages.filter((item) => item.role === "assistant" && item.content).map((item) => item.content),
}));
"""


async def test_the_published_client_runs_is_interrupted_and_resumes(serve: Serve, tmp_path: Path) -> None:
    program = tmp_path / "journey.mjs"
    program.write_text(JOURNEY.replace("CLIENT", AG_UI.found().as_uri()))
    async with serve() as site:
        command = [str(node()), str(program), site.url, await site.key()]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "the client warns of nothing"
    told = json.loads(done.stdout)
    assert told["held"]["reason"] == "confirmation"
    assert (told["between"]["status"], told["between"]["nodes"]["send"]["state"]) == ("waiting", "held")
    assert (told["result"], told["said"], told["left"]) == ("Dear all, it is done.", ["Dear all, it is done."], 0)
    assert (told["state"]["status"], told["state"]["nodes"]["send"]["state"]) == ("done", "done")
    assert told["seen"].count("RUN_FINISHED") == 2
