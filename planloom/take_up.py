"""Taking a run up again: everything about it comes from its journal."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from planloom.carry import Shared
from planloom.configs.load import Workflow
from planloom.core import events as ev
from planloom.core.answer import Answer
from planloom.core.errors import RunError
from planloom.core.json import Json
from planloom.core.pins import Pins
from planloom.core.plan import RunId
from planloom.core.view import RunView
from planloom.graphs.reopen import edited_plan, reopening, silence
from planloom.graphs.shell import check_checkpoint
from planloom.mending import changed, mended_plan
from planloom.parts import Maker, Parts, Wire
from planloom.state.log import RunLog


class TakenUp(NamedTuple):
    """A run that stands where it stood."""

    log: RunLog
    parts: Parts


async def take_up(
    shared: Shared,
    maker: Maker,
    wire: Wire,
    run_id: RunId,
    answers: Mapping[str, Answer],
    budget: Mapping[str, Json] | None,
    workflow: Workflow | None,
) -> TakenUp:
    """Rebuild a run from its journal and write down that it goes on; its lease is held.

    Args:
        shared: What all runs share.
        maker: Makes its parts.
        wire: What stands in for its models, over what it had before.
        run_id: Its whole id.
        answers: To what waits, beside those left in the inbox.
        budget: Caps to be raised, by name.
        workflow: Takes the place of the one in its journal.

    Raises:
        RunError: It was deleted, it is done, an answer or the workflow does not fit, or a cap would be lower.
        ConfigError: Its workflow cannot be loaded any more.
    """
    past = await shared.journal.events(run_id)
    if not past:
        raise RunError(f"run {run_id} was deleted at this moment")
    told = RunView(past)
    from_now, changes = await changed(told, workflow, budget)
    log = RunLog(shared.journal, run_id, past, secrets=from_now.secrets)
    await log.artifacts.check()
    await check_checkpoint(shared.shell, run_id)
    answers = {**await shared.inbox.read(run_id, log.view.pending.values()), **answers}
    opening = [*reopening(log.view, answers), *changes]
    wire = Wire(wire.script or log.view.script or None, wire.base_url or log.view.base_url or None)
    parts = await maker.opened(from_now, wire, Pins(servers=told.pins))
    if workflow is not None:
        opening += mended_plan(told, parts)
    for event in [*opening, *_edited(told, parts, answers.get("plan"))]:
        log.note(event)
    for expired in list(silence(log.view, from_now.spec.ask, time.time())):
        log.note(expired)
    await shared.journal.commit(run_id)
    await shared.inbox.clear(run_id, answers)
    return TakenUp(log, parts)


def _edited(view: RunView, parts: Parts, answer: Answer | None) -> list[ev.AnyEvent]:
    if answer is None or answer.plan is None:
        return []
    edited = Workflow.from_json({**view.workflow, **answer.plan, "plan": "static"}, parts.workflow.base_dir)
    return edited_plan(view, edited.spec, replace(parts.facts, by_hand=True), answer.note)
