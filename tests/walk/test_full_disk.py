"""A disk that fills up in the middle of a run: what was committed stays, and the run goes on once there is room."""

from pathlib import Path

from programs import run

CHILD = """
import asyncio, os, resource, sys
from planloom import Engine, Workflow
from planloom.core.events import NodeCommitted
from planloom.core.outcome import Usage
from planloom.models.base import Reply
from planloom.state.journal import JournalError

place, asked = sys.argv[1], []

async def model(request):
    asked.append(request.node_id)
    if request.node_id == "n5" and asked.count("n5") == 1:
        size = max(os.path.getsize(place + end) for end in ("", "-wal"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
    text = request.node_id * 20_000
    return Reply(text=text, finish="stop", usage=Usage(input_tokens=1, output_tokens=1, calls=1), model="m")

def node(i):
    return {"goal": "go on", "needs": [f"n{i - 1}"]} if i else {"goal": "start"}

async def main():
    nodes = {f"n{i}": node(i) for i in range(12)}
    models = {"mini": {"model": "openai:m"}}
    workflow = Workflow.from_dict({"version": 1, "name": "full", "models": models, "nodes": nodes})
    async with Engine(journal=place, models={"mini": model}) as engine:
        handle = await engine.submit(workflow)
        try:
            await handle.result()
            print("no error")
        except JournalError as exc:
            print(exc)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        past = await engine.history(handle.run_id)
        before = {event.node_id for event in past if isinstance(event, NodeCommitted)}
        mark = len(asked)
        result = await engine.resume(handle.run_id)
        print(result.status, len(before), sorted(before & set(asked[mark:])), len(result.nodes))

asyncio.run(main())
"""


def test_a_run_that_filled_the_disk_goes_on_once_there_is_room(tmp_path: Path) -> None:
    done = run(CHILD, str(tmp_path / "j.db"), folder=tmp_path)
    assert done.code == 0, done.err
    error, end = done.out.splitlines()
    assert "cannot write the journal" in error
    assert end == "done 5 [] 12"
