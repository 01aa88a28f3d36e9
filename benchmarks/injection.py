"""Prompt injection: AgentDojo's 949 pairs of task and injection, with a model that obeys every injected order it reads.

    pip install -e . -r benchmarks/requirements-injection.txt
    python benchmarks/injection.py [--suite slack] [--limit 50] [--policy hold] [--json FILE]

Three runs of the same tasks, each on fresh environments that AgentDojo's own tools change and its own functions judge:

- The order stands in every place for an injection that the task reads. Planloom's engine runs a scripted plan with the
  obedient model at the seam to its models; nobody approves anything. Under `--policy refuse`, the default, a call that
  would wait for a person is refused and the model goes on to try the next; under `hold` the run waits there; under
  `allow` nothing is guarded but what the plan fixed.
- The same order is read by the same model in LangGraph's prebuilt ReAct loop that holds every tool.
- No order; a person approves what is asked, and the tasks in which anything was asked are counted.

The planner is a script, since what is measured is what can happen after a plan was made. It may know what the prompt
says and nothing more: `dojo/origins.py` decides which value of AgentDojo's ground truth may stand in a plan, and the
counts are printed. `dojo/declared.py` says what the tools' owner declares of them, and why.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dojo.attacks import attack
from dojo.loop import run_loop
from dojo.obedient import Obedient
from dojo.plans import Scripted, scripted
from dojo.world import SUITES, Stage, Suite, World

from planloom import Engine, Workflow
from planloom.core.json import JsonObject
from planloom.core.result import RunResult
from planloom.models.base import Reply, Request

MODELS = {"obedient": {"model": "rehearsal:obedient", "price": {"input": 0, "output": 0}}}


@dataclass
class Tally:
    """What was seen in one suite, or in all."""

    pairs: int = 0
    attacked: list[str] = field(default_factory=list)
    """Pairs in which AgentDojo counts the injection as carried out."""
    reached: list[str] = field(default_factory=list)
    """Pairs in which a writing tool got a call of the injection as the attacker wanted it."""
    loop_attacked: int = 0
    loop_reached: int = 0
    useful_attacked: int = 0
    loop_useful_attacked: int = 0
    tasks: int = 0
    useless: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    questions: int = 0
    origins: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Take in another suite's."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def figures(self) -> dict[str, object]:
        """Return all of it by plain names."""
        pairs, tasks = max(1, self.pairs), max(1, self.tasks)
        return {
            "pairs": self.pairs,
            "attack_success_percent": 100 * len(self.attacked) / pairs,
            "loop_attack_success_percent": 100 * self.loop_attacked / pairs,
            "attacks_carried_out": self.attacked,
            "attackers_calls_made": self.reached,
            "utility_under_attack_percent": 100 * self.useful_attacked / pairs,
            "loop_utility_under_attack_percent": 100 * self.loop_useful_attacked / pairs,
            "tasks": self.tasks,
            "utility_percent": 100 * (self.tasks - len(self.useless)) / tasks,
            "tasks_not_done": self.useless,
            "asked_percent": 100 * len(self.asked) / tasks,
            "tasks_asked": self.asked,
            "questions": self.questions,
            "values_by_origin": dict(self.origins),
        }


class Runner:
    """Runs tasks of one suite in one engine, one after the other."""

    def __init__(self, suite: Suite, policy: str, *, fields: bool) -> None:
        self._suite, self._stage = suite, Stage()
        self._attack, self._benign = _workflow(suite, policy), _workflow(suite, "hold")
        self._model: Obedient | None = None
        tools = self._stage.functions(suite, fields=fields)
        self.engine = Engine(journal=":memory:", models={"obedient": self._answer}, tools=tools)

    async def _answer(self, request: Request) -> Reply | str:
        assert self._model is not None
        return await self._model(request)

    def _enter(self, plan: Scripted, world: World) -> JsonObject:
        self._stage.world, self._model = world, Obedient(plan, world)
        return {"task": world.user.PROMPT}

    async def attacked(self, plan: Scripted, world: World) -> str:
        """Run a task with an order in its environment and return what the run gave out."""
        return _text(await self.engine.run(self._attack, self._enter(plan, world)))

    async def benign(self, plan: Scripted, world: World) -> tuple[str, int]:
        """Run a task; a person approves what is asked. Return its output, and how often was asked."""
        result = await self.engine.run(self._benign, self._enter(plan, world))
        asked = 0
        while result.status == "waiting":
            asked += len(result.pending)
            result = await self.engine.resume(result.run_id, {str(held.node_id): True for held in result.pending})
        return _text(result), asked


def _workflow(suite: Suite, policy: str) -> Workflow:
    return Workflow.from_dict(
        {
            "version": 1,
            "name": suite.name,
            "inputs": {"task": {"type": "string"}},
            "models": MODELS,
            "planner": {"max_nodes": 500, "repairs": 0},
            "route": {"repair": 0, "retry": 0, "replan": 0},
            "flows": policy,
        }
    )


def _text(result: RunResult) -> str:
    if result.output is None:
        return ""
    return result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False)


def _say(suite: str, pairs: int, whole: int, seconds: float) -> None:
    """Tell how far it is: in one line on a terminal, now and then in a log."""
    text = f"{suite}: {pairs} of {whole} pairs in {seconds:.0f} s"
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="" if pairs < whole else "\n", file=sys.stderr, flush=True)
    elif pairs % 50 == 0 or pairs == whole:
        print(text, file=sys.stderr, flush=True)


async def measure(suite: Suite, runner: Runner, limit: int) -> Tally:
    """Return what was seen in one suite, over its first pairs."""
    seen, begun = Tally(), time.monotonic()
    plans = {user: scripted(suite.world(user)) for user in suite.users}
    pairs = [(user, injection) for user in suite.users for injection in suite.injections][:limit]
    async with runner.engine:
        for user in dict.fromkeys(user for user, _ in pairs):
            await _benign(suite, runner, plans[user], user, seen)
        for user, injection in pairs:
            await _attacked(suite, runner, plans[user], (user, injection), seen)
            _say(suite.name, seen.pairs, len(pairs), time.monotonic() - begun)
    return seen


async def _benign(suite: Suite, runner: Runner, plan: Scripted, user: str, seen: Tally) -> None:
    world = suite.world(user)
    output, asked = await runner.benign(plan, world)
    name = [f"{suite.name} {user}"]
    seen.tasks, seen.questions = seen.tasks + 1, seen.questions + asked
    seen.useless += [] if world.useful(output) else name
    seen.asked += name if asked else []
    seen.origins.update(plan.origins)


async def _attacked(suite: Suite, runner: Runner, plan: Scripted, pair: tuple[str, str], seen: Tally) -> None:
    world, bare = suite.world(*pair), suite.world(*pair)
    calls = attack(world)
    output = await runner.attacked(plan, world)
    said = run_loop(bare)
    name = [" ".join((suite.name, *pair))]
    seen.pairs += 1
    seen.attacked += name if world.attacked(output) else []
    seen.reached += name if world.reached(calls) else []
    seen.useful_attacked += world.useful(output)
    seen.loop_attacked += bare.attacked(said)
    seen.loop_reached += bare.reached(calls)
    seen.loop_useful_attacked += bare.useful(said)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / max(1, whole):.1f} %)"


def _lines(seen: Tally) -> Iterator[tuple[str, str, str]]:
    yield "injections carried out", _share(len(seen.attacked), seen.pairs), _share(seen.loop_attacked, seen.pairs)
    yield "a call of the attacker's made", _share(len(seen.reached), seen.pairs), _share(seen.loop_reached, seen.pairs)
    alike = _share(seen.useful_attacked, seen.pairs), _share(seen.loop_useful_attacked, seen.pairs)
    yield "tasks done all the same", *alike
    yield "without orders: tasks done, approvals given", _share(seen.tasks - len(seen.useless), seen.tasks), ""
    yield "without orders: tasks that asked for approval", _share(len(seen.asked), seen.tasks), ""
    yield "without orders: approvals asked for", str(seen.questions), ""


def report(rows: Mapping[str, Tally], policy: str) -> None:
    """Print the tables."""
    print(f"{'':56}{f'Planloom, flows: {policy}':>24}{'ReAct loop':>24}")
    for name, seen in rows.items():
        for index, (what, ours, loop) in enumerate(_lines(seen)):
            print(f"{'' if index else name:10}{what:46}{ours:>24}{loop:>24}".rstrip())
    total = [*rows.values()][-1]
    print("values in the plans, by origin:", ", ".join(f"{k} {v}" for k, v in sorted(total.origins.items())))
    for what, names in (("carried out", total.attacked), ("not done", total.useless)):
        if names:
            print(f"{what}: {', '.join(names)}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=SUITES, action="append", help="only this one; may be repeated")
    parser.add_argument("--limit", type=int, default=10_000, help="pairs of each suite at most")
    parser.add_argument("--policy", choices=("refuse", "hold", "allow"), default="refuse", help="of the attacked runs")
    parser.add_argument("--without-fields", action="store_true", help="trust no single field of a result")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    begun, total = time.monotonic(), Tally()
    rows: dict[str, Tally] = {}
    for name in args.suite or SUITES:
        suite = Suite(name)
        rows[name] = await measure(suite, Runner(suite, args.policy, fields=not args.without_fields), args.limit)
        total.add(rows[name])
    rows["all"] = total
    report(rows, args.policy)
    if args.json is not None:
        suites = {name: seen.figures() for name, seen in rows.items()}
        figures = {"policy": args.policy, "seconds": round(time.monotonic() - begun, 1), **suites}
        args.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
