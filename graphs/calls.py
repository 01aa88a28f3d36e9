"""The tool calls of one attempt: every one is journaled, a write before and after it is made."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from planloom.agents.prompting import clip
from planloom.core import events as ev
from planloom.core.effect import EffectOutcome, EffectRecord
from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject, digest
from planloom.core.plan import NodeId, ToolName
from planloom.graphs.context import Run
from planloom.tools.base import Tool

_ARG_CHARS = 2000


class Calls:
    """Makes the calls of one attempt.

    A write's idempotency key is a digest of the run, the node, its inputs, the tool and how many calls of that tool
    came before in the attempt: the same call of a later attempt has the same key, whatever a model makes of its
    arguments. A write that is known to be done is not made again with the same arguments: its result stands.

    Args:
        run: The run.
        node_id: The node, or the element of a map.
        attempt: Number of the attempt.
        work: Identity of the node's work, the same on every retry, resume and replan of it.
    """

    def __init__(self, run: Run, *, node_id: NodeId, attempt: int, work: str) -> None:
        self._run = run
        self._node_id = node_id
        self._attempt = attempt
        self._work = work
        self._made: Counter[str] = Counter()

    async def make(self, tool: Tool, args: JsonObject, *, fixed: Mapping[str, Json]) -> Json:
        """Make one call.

        Raises:
            ToolError: Its arguments are wrong, or it failed.
            JournalError: The intent of a write, or its outcome, could not be written down.
        """
        known = tool.parameters.get("properties")
        pinned = {name: value for name, value in fixed.items() if isinstance(known, dict) and name in known}
        started, error = time.monotonic(), "cancelled"
        try:
            value = await (self._write if tool.effect == "write" else self._read)(tool, args, pinned)
            error = ""
            return value
        except ToolError as exc:
            error = exc.message
            raise
        finally:
            self._report(tool.name, {**args, **pinned}, time.monotonic() - started, error)

    async def _read(self, tool: Tool, args: JsonObject, pinned: JsonObject) -> Json:
        return await self._run.toolbox.call(tool.name, args, fixed=pinned)

    async def _write(self, tool: Tool, args: JsonObject, pinned: JsonObject) -> Json:
        """Write the intent down, call, and write the outcome down."""
        _, merged = self._run.toolbox.checked(tool.name, args, fixed=pinned)
        key = digest([self._work, tool.name, self._made[tool.name]])
        self._made[tool.name] += 1
        past = self._run.view.effects_of(self._node_id).get(key)
        if past is not None and past.outcome == "done" and past.args == self._run.log.secrets.hide(merged):
            return past.result
        intent = ev.EffectStarted(
            node_id=self._node_id, attempt=self._attempt, tool=tool.name, key=key, work=self._work, args=merged
        )
        await self._run.log.commit(intent, sync=True)
        told = False
        try:
            value = await self._run.toolbox.call(tool.name, args, fixed=pinned, idempotency_key=key)
            told = True
            await self._run.log.commit(ended(self._node_id, intent, "done", result=value), sync=True)
        except ToolError as exc:
            told = True
            outcome: EffectOutcome = "undone" if exc.permanent else "failed"
            await self._run.log.commit(ended(self._node_id, intent, outcome, error=exc.message), sync=True)
            raise
        finally:
            if not told:
                self._run.log.note(ended(self._node_id, intent, "unknown", error="cut off"))
        return value

    def _report(self, tool: str, args: JsonObject, seconds: float, error: str) -> None:
        self._run.log.note(
            ev.ToolCalled(
                node_id=self._node_id,
                attempt=self._attempt,
                tool=tool,
                args={name: clip(value, _ARG_CHARS) for name, value in args.items()},
                seconds=seconds,
                error=error,
            )
        )


async def verify_effects(run: Run, node_id: NodeId) -> None:
    """Ask the tools' `verify` hooks what became of a node's writes whose outcome is not known."""
    for effect in [item for item in run.view.effects_of(node_id).values() if item.uncertain]:
        tool = run.toolbox.tools.get(ToolName(effect.tool))
        if tool is None or tool.verify is None or tool.repeatable:
            continue
        try:
            found = await run.toolbox.verify(tool, effect.args, idempotency_key=effect.key)
        except ToolError as exc:
            run.log.note(ended(node_id, effect, "unknown", error=exc.message, told_by="verify"))
            continue
        outcome: EffectOutcome = "done" if found else "undone"
        result = found.result if found else None
        await run.log.commit(ended(node_id, effect, outcome, result=result, told_by="verify"), sync=True)


def ended(
    node_id: NodeId,
    effect: ev.EffectStarted | EffectRecord,
    outcome: EffectOutcome,
    *,
    result: Json = None,
    error: str = "",
    told_by: Literal["tool", "verify", "human"] = "tool",
) -> ev.EffectEnded:
    """Return what came of a write."""
    return ev.EffectEnded(
        node_id=node_id,
        attempt=effect.attempt,
        tool=effect.tool,
        key=effect.key,
        outcome=outcome,
        result=result,
        error=error,
        told_by=told_by,
    )
