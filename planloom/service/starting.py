"""Starting and taking up runs for tenants: once per idempotency key, within their bounds."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, NamedTuple, TypeAlias

from fastapi import Header

from planloom.configs.load import Workflow
from planloom.core.answer import Answer
from planloom.core.errors import ConfigError
from planloom.core.json import JsonObject, canonical
from planloom.core.plan import RunId, new_run_id
from planloom.service.catalogue import held_to
from planloom.service.problems import Problem
from planloom.service.visit import Visit
from planloom.state.ledger import Ledger
from planloom.state.owners import OwnedRun, Owners

IdempotencyKey: TypeAlias = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Of the client's making, one for each run it wants: the same key again gives the same run.",
    ),
]


class Started(NamedTuple):
    """A run, and whether it was there already."""

    run_id: RunId
    replayed: bool


async def start(visit: Visit, name: str, inputs: JsonObject, idempotency_key: str | None) -> Started:
    """Start a run, or return the one that the key stands for.

    Raises:
        Problem: The key stands for another request (422) or one that begins at this moment (409), or no further run
            may begin now (429, 503).
        ConfigError: The inputs do not fit.
    """
    workflow = visit.service.workflow(name)
    workflow.check_inputs(inputs)
    claim = OwnedRun(
        run_id=new_run_id(),
        tenant=visit.caller.tenant,
        workflow=name,
        created_at=time.time(),
        created_by=visit.caller.name,
        idempotency_key=idempotency_key,
        request_digest=hashlib.sha256(canonical([name, inputs]).encode(errors="surrogatepass")).hexdigest(),
    )
    if idempotency_key is not None:
        found = await visit.runtime.owners.by_key(claim.tenant, idempotency_key)
        if found is not None and await _has_begun(visit, found, claim):
            return Started(found.run_id, replayed=True)
    with _place(visit, claim.run_id):
        account = await visit.runtime.accounts.of(claim.tenant)
        owned = await visit.runtime.owners.claim(claim)
        if owned.run_id == claim.run_id:
            await _begin(visit, workflow, inputs, owned, account)
            return Started(owned.run_id, replayed=False)
    if await _has_begun(visit, owned, claim):
        return Started(owned.run_id, replayed=True)
    with _place(visit, owned.run_id):
        await _begin(visit, workflow, inputs, owned, account)
    return Started(owned.run_id, replayed=False)


async def _begin(visit: Visit, workflow: Workflow, inputs: JsonObject, run: OwnedRun, account: Ledger | None) -> None:
    held = _held(visit, workflow, account)
    await visit.note("run.start", run.run_id, {"workflow": run.workflow})
    try:
        handle = await visit.runtime.engine.submit(
            held, inputs, run_id=run.run_id, account=account, tenant=visit.caller.tenant
        )
    except ConfigError:
        await visit.runtime.owners.forget(run.run_id)
        raise
    visit.runtime.watch(handle, run.tenant)


def _held(visit: Visit, workflow: Workflow, account: Ledger | None) -> Workflow:
    left_usd = None if account is None or account.caps.usd is None else account.caps.usd - account.spent.usd
    return held_to(workflow, time_s=visit.service.limits.run_s, usd=left_usd)


async def _has_begun(visit: Visit, found: OwnedRun, claim: OwnedRun) -> bool:
    """Tell whether the run of a key has begun; one whose process was killed before that is to be begun now.

    Raises:
        Problem: The key stands for another request, or the run is about to begin.
    """
    if found.request_digest != claim.request_digest:
        raise Problem(422, "idempotency-key-reused", "This Idempotency-Key stands for a request with another body.")
    if await visit.runtime.engine.journal.latest(found.run_id) is not None:
        return True
    if found.run_id in visit.runtime.runs:
        raise Problem(409, "conflict", "The run of this Idempotency-Key begins at this moment.")
    return False


async def take_up(
    visit: Visit,
    run_id: RunId,
    answers: Mapping[str, bool | Answer] | None = None,
    *,
    workflow: Workflow | None = None,
) -> None:
    """Go on with a run that is at rest, under another workflow where one is named.

    Raises:
        Problem: No further run may begin now (429, 503).
        RunError: The run is done, somebody is at work on it, or an answer or the workflow does not fit.
        ConfigError: The workflow does not take the run's inputs.
    """
    runtime, tenant = visit.runtime, visit.caller.tenant
    if run_id in runtime.runs:
        raise Problem(409, "conflict", "The run is under way.")
    with _place(visit, run_id):
        account = await runtime.accounts.of(tenant)
        mended = None if workflow is None else _held(visit, workflow, account)
        async with _wanted(runtime.owners, run_id):
            handle = await runtime.engine.reopen(run_id, answers, workflow=mended, account=account)
        runtime.watch(handle, tenant)


@asynccontextmanager
async def _wanted(owners: Owners, run_id: RunId) -> AsyncGenerator[None]:
    """Say that a run is to go on, before it does: a process killed in between must not lose it.

    Where it cannot, all is as it was: else any server would take up a cancelled run.
    """
    before = await owners.wanted(run_id)
    await owners.want(run_id, wanted=True)
    try:
        yield
    except BaseException:
        await asyncio.shield(owners.want(run_id, wanted=before))
        raise


@contextmanager
def _place(visit: Visit, run_id: RunId) -> Generator[None]:
    """Keep a place for a run, which is given up again when the run has not begun at the end.

    Raises:
        Problem: There is none.
    """
    visit.must_be_up()
    runtime, tenant = visit.runtime, visit.caller.tenant
    most, later = visit.service.limits.max_runs_under(visit.quota), {"Retry-After": "5"}
    if sum(owner == tenant for owner in runtime.runs.values()) >= most:
        raise Problem(429, "too-many-requests", f"At most {most} runs at the same time.", headers=later)
    if len(runtime.runs) >= visit.service.limits.max_runs:
        raise Problem(503, "unavailable", "As many runs as fit are under way.", headers=later)
    with runtime.place(run_id, tenant):
        yield
