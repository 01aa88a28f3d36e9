"""Kill a run again and again, resume it until it ends, and compare what is left with what was promised."""

import asyncio
import json
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from programs import FORK

from kills.child import Life, live
from kills.outside import Outside, outside
from kills.tally import Tally
from kills.workload import CAP_USD, GATES, PLAIN, TOOLS, script, workflow
from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.view import RunView
from planloom.state.journal import Journal

MOST_KILLS = 8
"""Of one run."""

Place = Callable[[int], Awaitable[str]]
"""Gives the journal of a run by its number, empty at first."""


@dataclass(frozen=True)
class Moment:
    """When a life ends: at its n-th write or call to a model, or after some time."""

    on: str
    nth: int
    after_s: float

    @classmethod
    def drawn(cls, draw: random.Random, life_s: float) -> "Moment":
        on = draw.choices(["write", "call", "time"], [30, 50, 20])[0]
        after_s = {"write": 0.0, "call": draw.uniform(0, 0.03), "time": draw.uniform(0, life_s)}[on]
        return cls(on, draw.randint(1, 3 if on == "write" else 8), after_s)


@dataclass
class Killed:
    """One run and all its lives."""

    folder: Path
    journal: str
    world: Outside
    draw: random.Random
    tally: Tally
    kills_left: int
    life_s: float
    """How long an uninterrupted life takes."""
    cold: float
    """Share of the lives that are new processes of the command line's."""
    past: list[ev.AnyEvent] = field(default_factory=list[ev.AnyEvent])

    async def to_the_end(self) -> RunView:
        """Kill the run at random moments, then let it end."""
        async with Journal(self.journal) as journal:
            while True:
                asked = len(self.world.asked)
                killed = await self._life(RunView(self.past))
                await self.world.quiet()
                runs = await journal.runs(1)
                now = await journal.events(runs[0].run_id) if runs else []
                self._compare(now, asked)
                self.past = now
                view = RunView(now)
                if not killed and view.status not in ("waiting", "running"):
                    return view

    async def _life(self, view: RunView) -> bool:
        """Let a process live; tell whether it was killed."""
        base, receiver = f"{self.world.url}/v1", f"{self.world.url}/write"
        life = Life(str(self.folder / "w.yaml"), self.journal, base, receiver, view.run_id, self._answers(view))
        moment = Moment.drawn(self.draw, self.life_s) if self.kills_left > 0 else None
        cold = self.draw.random() < self.cold
        self.tally.lives += 1
        self.tally.cold += cold
        code = await (self._cold(life, moment) if cold else self._forked(life, moment))
        killed = code == -9
        if killed:
            self.tally.kills, self.kills_left = self.tally.kills + 1, self.kills_left - 1
            self.tally.at_write += moment is not None and moment.on == "write"
        elif code not in ((0, 1, 3) if cold else (0,)):
            raise RuntimeError(f"{self.folder.name}: the process ended with {code}; see its words above")
        return killed

    async def _forked(self, life: Life, moment: Moment | None) -> int | None:
        process = FORK.Process(target=live, args=(life,))
        process.start()
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(process.sentinel, ended.set)
        with self._armed(moment, process.kill):
            await ended.wait()
        loop.remove_reader(process.sentinel)
        process.join()
        return process.exitcode

    async def _cold(self, life: Life, moment: Moment | None) -> int | None:
        process = await asyncio.create_subprocess_exec(
            *life.command, env={**os.environ, **life.environment}, stdout=asyncio.subprocess.DEVNULL
        )
        with self._armed(moment, process.kill):
            return await process.wait()

    @contextmanager
    def _armed(self, moment: Moment | None, kill: Callable[[], None]) -> Iterator[None]:
        """Have the process killed when its moment has come."""
        loop, left = asyncio.get_running_loop(), count(1)
        fuse: asyncio.TimerHandle | None = None

        def seen() -> None:
            nonlocal fuse
            if moment is not None and next(left) == moment.nth:
                if moment.after_s:
                    fuse = loop.call_later(moment.after_s, kill)
                else:
                    kill()

        if moment is not None and moment.on == "time":
            fuse = loop.call_later(moment.after_s, kill)
        elif moment is not None:
            self.world.listen(moment.on, seen)
        try:
            yield
        finally:
            self.world.listen("", seen)
            if fuse is not None:
                fuse.cancel()

    def _answers(self, view: RunView) -> dict[str, bool]:
        """Answer as a human would who knows the gates, and looks at the receiver where a write is in doubt."""
        answers = {str(node): GATES[node] for node in view.pending if node in GATES}
        if PLAIN in view.pending:
            self.tally.held += 1
            answers[PLAIN] = PLAIN not in self.world.effects
        if unknown := {str(node) for node in view.pending} - set(answers):
            self.tally.different.append(f"{self.folder.name}: {unknown} waits, and nobody has a reason to ask")
        return answers

    def _compare(self, now: list[ev.AnyEvent], asked: int) -> None:
        """Compare what the journal held before a life with what it holds, and with what was asked meanwhile."""
        committed = {event.node_id for event in self.past if isinstance(event, ev.NodeCommitted)}
        again = committed & {str(request["node"]) for request in list(self.world.asked)[asked:]}
        self.tally.asked_again += [f"{self.folder.name}: {node} was committed and asked again" for node in again]
        if now[: len(self.past)] != self.past:
            self.tally.lost.append(f"{self.folder.name}: the journal lost what it held")
        most = max(spent(now), default=0.0)
        if most > CAP_USD + 1e-9:
            self.tally.over_cap.append(f"{self.folder.name}: {most} spent and reserved pass {CAP_USD}")

    def settle(self, view: RunView) -> None:
        """Check what must hold when the run has ended."""
        name, world = self.folder.name, self.world
        wanted = {*(f"each {i} said by items[{i}]" for i in range(3)), "first right", "last right", PLAIN}
        self.tally.writes += [f"{name}: {what!r} was written {n} times" for what, n in world.effects.items() if n != 1]
        self.tally.writes += [f"{name}: {what!r} was not written" for what in wanted ^ set(world.effects)]
        committed = {(e.node_id, e.input_digest): e.output for e in self.past if isinstance(e, ev.NodeCommitted)}
        for (node_id, _), output in committed.items():
            if node_id in view.nodes and view.nodes[node_id].output != output:
                self.tally.lost.append(f"{name}: the output of {node_id} is not the one that was committed")
        if len(world.asked) > view.usage.calls:
            self.tally.over_cap.append(f"{name}: {len(world.asked)} calls, {view.usage.calls} booked")


def spent(events: list[ev.AnyEvent]) -> Iterator[float]:
    """Yield what is spent and reserved together after every event."""
    held: dict[str, float] = {}
    usd = 0.0
    for event in events:
        if isinstance(event, ev.CallStarted):
            held[event.call_id] = event.reserved_usd
        elif isinstance(event, ev.CallEnded):
            held.pop(event.call_id, None)
            usd += event.cost_usd
        yield usd + sum(held.values())


def ended_as(view: RunView) -> dict[str, Json]:
    """What must be the same however often a run was killed; the plain write's node depends on what a human said."""
    states: dict[str, Json] = {str(i): [node.state, node.output] for i, node in view.nodes.items() if i != PLAIN}
    return {"status": view.status, "output": view.output, **states}


async def kill_runs(folder: Path, kills: int, seed: int, place: Place, *, lanes: int = 4, cold: float = 0.0) -> Tally:
    """Kill runs until there were `kills` kills.

    Args:
        folder: Where the runs' files go.
        kills: How often a process is killed, at least.
        seed: Of every draw.
        place: Gives journals; 0 and below are for runs that are not killed.
        lanes: Runs at the same time.
        cold: Share of the lives that are new processes of the command line's.
    """
    tally, numbers, promised = Tally(), count(1), 0

    async def one(number: int, most: int, draw: random.Random, life_s: float) -> dict[str, Json]:
        mine = folder / f"run{number}"
        mine.mkdir()
        (mine / "w.yaml").write_text(json.dumps(workflow()), encoding="utf-8")
        (mine / "outside.py").write_text(TOOLS, encoding="utf-8")
        async with outside(script()) as world:
            run = Killed(mine, await place(number), world, draw, tally, most, life_s, cold if most else 0.0)
            view = await run.to_the_end()
            run.settle(view)
        return ended_as(view)

    async def lane(calm: dict[str, Json], life_s: float) -> None:
        nonlocal promised
        while (left := kills - tally.kills - promised) > 0:
            number = next(numbers)
            draw = random.Random(f"{seed} {number}")
            most = min(draw.randint(1, MOST_KILLS), left)
            promised += most
            found = await one(number, most, draw, life_s)
            promised -= most
            tally.runs += 1
            if found != calm:
                odd = {key: (found.get(key), value) for key, value in calm.items() if found.get(key) != value}
                tally.different.append(f"run{number}: found and uninterrupted: {odd}")

    await one(-1, 0, random.Random(seed), 0.0)  # pays for the imports
    begun = time.monotonic()
    calm = await one(0, 0, random.Random(seed), 0.0)
    life_s = (time.monotonic() - begun) / 2
    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane(calm, life_s))
    return tally
