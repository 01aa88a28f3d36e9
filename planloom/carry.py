"""Carrying one run from where its journal ends to its end."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from planloom.configs.spec import WorkflowSpec
from planloom.core import events as ev
from planloom.core.errors import to_be_shown
from planloom.core.plan import NodeId, Plan, RunId
from planloom.core.view import RunView
from planloom.graphs.context import Run
from planloom.graphs.desk import RunDesk
from planloom.graphs.experience import Experience, experience_of
from planloom.graphs.history import History
from planloom.graphs.lanes import SideLane
from planloom.graphs.listen import listen
from planloom.graphs.planning import Planning
from planloom.graphs.run import Walk
from planloom.graphs.shell import Shell, walk_run
from planloom.graphs.side_lanes import Chooser
from planloom.graphs.slots import Slots
from planloom.handle import RunHandle
from planloom.models.gateway import Rung
from planloom.parts import Parts, at_lines_of
from planloom.state.inbox import Inbox
from planloom.state.journal import Journal, JournalError
from planloom.state.ledger import Caps, Ledger
from planloom.state.log import RunLog
from planloom.state.memories import Memories
from planloom.state.visits import Visits
from planloom.tools.functions import load_function
from planloom.tools.sandbox import Sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all runs of one engine share."""

    journal: Journal
    inbox: Inbox
    shell: Shell
    sandbox: Sandbox
    process: asyncio.Semaphore
    """Attempts under way at the same time, over all runs."""


async def carry(shared: Shared, handle: RunHandle, log: RunLog, parts: Parts, account: Ledger | None) -> None:
    """Carry one run to its end and give its lease back; whatever goes wrong ends in its handle and nowhere else.

    Args:
        shared: What all runs share.
        handle: Whoever follows the run has it.
        log: The run's line to the journal; its lease is held.
        parts: Made and checked.
        account: What pays for the run beside its own budget.
    """
    error: Exception | None = None
    try:
        await _walk(shared, handle, log, parts, account)
    except asyncio.CancelledError:
        _end(log, "cancelled", "cancelled")
    except Exception as exc:
        error = to_be_shown(exc)
        log.secrets.hide_error(error)
        _end(log, "failed", f"{type(error).__name__}: {error}")
    finally:
        try:
            await asyncio.shield(_release(shared.journal, log.run_id))
        finally:  # whoever cancels a second time does not keep others waiting for the end
            log.close()
            handle.failed(error)


def _end(log: RunLog, status: ev.Status, error: str) -> None:
    """Write down that a run ended out of turn; one that had ended, or waits, stays as it is."""
    if log.view.status == "running":
        log.note(ev.RunEnded(status=status, output=None, error=error), sync=True)


async def _release(journal: Journal, run_id: RunId) -> None:
    with suppress(JournalError):  # whoever waits for the run is told already
        await journal.release(run_id)


async def _walk(shared: Shared, handle: RunHandle, log: RunLog, parts: Parts, account: Ledger | None) -> None:
    workflow, spec = parts.workflow, parts.workflow.spec
    caps = Caps(usd=spec.budget.usd, tokens=spec.budget.tokens, calls=spec.budget.calls)
    async with AsyncExitStack() as stack:
        with at_lines_of(workflow):
            toolbox = await stack.enter_async_context(parts.toolbox)
        ledger, slots = Ledger(caps, parent=account), Slots(spec.max_parallel, shared.process)
        run = Run(
            workflow=workflow,
            inputs=log.view.inputs,
            log=log,
            ledger=ledger,
            node_ledgers={},
            toolbox=toolbox,
            sandbox=shared.sandbox,
            rungs=parts.rungs,
            slots=slots,
            desk=RunDesk(log, slots, ledger),
            facts=parts.facts,
            load=lambda ref: load_function(ref, workflow.base_dir),
            policy=parts.policy,
            memories=_memories(shared.journal, spec, log.view.tenant),
            choose_lanes=await _lanes(shared.journal, parts, log.view),
            experience=await _experience(shared.journal, spec, log.view.tenant, parts.rungs),
        )
        walk = Walk(run, Planning(run))
        handle.walks(walk)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(listen(walk, shared.inbox), name=f"inbox {log.run_id}")
            try:
                await walk_run(shared.shell, walk)
            finally:
                listening.cancel()


def _memories(journal: Journal, spec: WorkflowSpec, tenant: str) -> Memories | None:
    return None if spec.memory is None else Memories(journal, spec.memory.scope or spec.name, tenant)


async def _lanes(
    journal: Journal, parts: Parts, view: RunView
) -> Callable[[Plan, float], Mapping[NodeId, SideLane]] | None:
    spec = parts.workflow.spec
    if not spec.route.lanes:
        return None
    history = History(await journal.past_runs(spec.name, view.tenant, before=view.started_at))
    prices = {name: rung.price for name, rung in parts.rungs.items()}
    return Chooser(spec=spec, history=history, prices=prices, started_at=view.started_at).choose


async def _experience(
    journal: Journal, spec: WorkflowSpec, tenant: str, rungs: Mapping[str, Rung]
) -> Experience | None:
    if spec.memory is None or not spec.memory.first_rung:
        return None
    models = {name: (rung.model, rung.price) for name, rung in rungs.items()}
    return await experience_of(Visits(journal, spec.memory.scope or spec.name, tenant), models)
