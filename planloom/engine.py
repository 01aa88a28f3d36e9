"""The engine: opens what runs share, starts runs, takes them up again, and lists them."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from planloom.carry import Shared, carry
from planloom.configs.load import Workflow
from planloom.configs.lock import locked
from planloom.core import events as ev
from planloom.core.answer import Answers, as_answer
from planloom.core.json import Json
from planloom.core.pins import Pins
from planloom.core.plan import RunId, new_run_id
from planloom.core.result import RunResult
from planloom.core.view import RunView
from planloom.gc import Collected, collect, retention_of_environment
from planloom.graphs.checkpoints import open_checkpointer
from planloom.graphs.estimate import Checked
from planloom.graphs.shell import build_shell
from planloom.handle import RunHandle
from planloom.models.gateway import Gateway
from planloom.observe import Observer, observe
from planloom.parts import Maker, Parts, Wire
from planloom.state.artifacts import Artifacts
from planloom.state.inbox import Inbox
from planloom.state.journal import Journal, JournalError, RunSummary
from planloom.state.ledger import Ledger
from planloom.state.log import RunLog
from planloom.state.memories import Memories
from planloom.state.place import place_of
from planloom.state.retention import MONTH_S, OVER, Ending, Retention
from planloom.take_up import take_up
from planloom.telling import tell
from planloom.tools.sandbox import Sandbox

if TYPE_CHECKING:
    from planloom.models.gateway import Answer as Model

_DELETED_ON_OPENING = 100
"""Runs that an engine deletes at most when it opens, so that nobody waits for a backlog."""


class Engine:
    """Runs workflows; enter it once and use it for any number of runs.

    Leaving the block cancels runs that are still under way; each can be resumed.

    Args:
        journal: File of the journal, `sqlite:///FILE` or `postgresql://...`; `None` takes `PLANLOOM_JOURNAL`,
            or `.planloom/planloom.db` in the current folder; `:memory:` keeps nothing. A `Journal` not yet
            entered carries its own settings.
        base_url: Server for every model, over what the workflow and the environment say.
        rehearsal: Script that answers in place of all models.
        models: Rungs from Python by the name the workflow uses: async functions or LangChain chat models.
        tools: Python functions by the name of the tool source.
        max_parallel: Attempts under way at the same time in this process, over all runs.
        retention_s: Seconds after which runs that are done are deleted, a few of them whenever an engine opens;
            `None` takes `PLANLOOM_RETENTION` (such as `30d`), infinity and an unset variable delete nothing.
        observers: Are shown every event of every run, such as `planloom.telemetry.Traces`; closed with the engine.

    Raises:
        ConfigError: `PLANLOOM_RETENTION` is no duration.
    """

    def __init__(
        self,
        *,
        journal: str | Path | Journal | None = None,
        base_url: str | None = None,
        rehearsal: str | Path | None = None,
        models: "Mapping[str, Model] | None" = None,
        tools: Mapping[str, Callable[..., object]] | None = None,
        max_parallel: int = 64,
        retention_s: float | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._journal = journal if isinstance(journal, Journal) else Journal(place_of(journal))
        self._inbox = Inbox(self._journal)
        self._base_url = base_url
        self._gateway = Gateway()
        self._sandbox = Sandbox()
        self._rehearsal = str(Path(rehearsal).resolve()) if rehearsal is not None else None
        self._maker = Maker(self._gateway, self._sandbox, dict(models or {}), dict(tools or {}))
        self._process = asyncio.Semaphore(max_parallel)
        self._retention_s = retention_of_environment() if retention_s is None else retention_s
        self._observers = tuple(observers)
        self._stack = AsyncExitStack()
        self._shared: Shared | None = None
        self._group: asyncio.TaskGroup | None = None
        self._handles: dict[RunId, RunHandle] = {}

    @property
    def journal(self) -> Journal:
        """Where its runs are written down."""
        return self._journal

    def at_work(self, run_id: str) -> RunHandle | None:
        """Return the handle of a run that this engine is at work on, by its whole id."""
        return self._handles.get(RunId(run_id))

    async def __aenter__(self) -> Self:
        """Open the journal, the checkpoints, the model gateway and the sandbox.

        Raises:
            JournalError: The journal cannot be opened.
        """
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._journal)
            await stack.enter_async_context(self._gateway)
            await stack.enter_async_context(self._sandbox)
            checkpointer = await stack.enter_async_context(
                open_checkpointer(self._journal.url, self._journal.seal, outage_s=self._journal.outage_s)
            )
            shell = build_shell(checkpointer)
            self._shared = Shared(
                journal=self._journal,
                inbox=self._inbox,
                shell=shell,
                sandbox=self._sandbox,
                process=self._process,
            )
            if math.isfinite(self._retention_s):
                policy = Retention(older_than_s=self._retention_s, limit=_DELETED_ON_OPENING)
                await collect(self._journal, shell, policy)
            for observer in self._observers:
                stack.push_async_callback(observer.close)
            self._group = await stack.enter_async_context(asyncio.TaskGroup())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in list(self._handles.values()):
            await handle.cancel()
        self._shared = self._group = None
        await self._stack.aclose()

    async def run(self, workflow: Workflow | str | Path, inputs: Mapping[str, Json] | None = None) -> RunResult:
        """Run a workflow to its end and return its record.

        Args:
            workflow: A workflow, or the path of its file.
            inputs: Values of its inputs by name.

        Raises:
            ConfigError: The workflow or its inputs must be fixed first; nothing was run.
            JournalError: The journal could not be written.
        """
        handle = await self.submit(workflow, inputs)
        try:
            return await handle.result()
        except asyncio.CancelledError:
            await handle.cancel()
            raise

    async def stream(
        self, workflow: Workflow | str | Path, inputs: Mapping[str, Json] | None = None
    ) -> AsyncIterator[ev.AnyEvent]:
        """Run a workflow and yield its events as they happen; the last is `RunEnded`.

        Raises:
            ConfigError: As `run`.
        """
        handle = await self.submit(workflow, inputs)
        try:
            async for event in handle.events():
                yield event
        finally:
            await handle.cancel()

    async def submit(
        self,
        workflow: Workflow | str | Path,
        inputs: Mapping[str, Json] | None = None,
        *,
        run_id: RunId | None = None,
        account: Ledger | None = None,
        tenant: str = "",
    ) -> RunHandle:
        """Start a run and return its handle at once.

        Args:
            workflow: A workflow, or the path of its file.
            inputs: Values of its inputs by name.
            run_id: An id that no run has had; `None` makes one.
            account: What pays for it beside its own budget, such as that of all runs of a customer.
            tenant: Whose it is: no memory crosses from one tenant to another.

        Raises:
            ConfigError: As `run`.
            RunError: The id is in use.
        """
        self._opened()
        created_at = time.time()
        if not isinstance(workflow, Workflow):
            workflow = await asyncio.to_thread(Workflow.from_yaml, workflow)
        values = workflow.check_inputs(inputs or {})
        wire = Wire(self._rehearsal, self._base_url)
        parts = await self._maker.opened(workflow, wire)
        run_id = run_id or new_run_id()
        await self._journal.take(run_id)
        log = RunLog(self._journal, run_id, secrets=workflow.secrets)
        started = ev.RunStarted(
            run_id=run_id,
            name=workflow.spec.name,
            workflow=workflow.to_json(),
            base_dir=str(workflow.base_dir),
            inputs=values,
            tenant=tenant,
            rehearsal=any(rung.rehearsal for rung in parts.rungs.values()),
            script=wire.script or "",
            base_url=wire.base_url or "",
            pins=parts.pins.servers,
            created_at=created_at,
        )
        await log.commit(started)
        return await self._start(log, parts, account)

    async def resume(
        self,
        run_id: str,
        approvals: Answers | None = None,
        *,
        budget: Mapping[str, Json] | None = None,
        workflow: Workflow | None = None,
    ) -> RunResult:
        """Take a run up where its journal ends: committed nodes are not run again.

        Args:
            run_id: Its id, a prefix of it, or `last`.
            approvals: Answers by node id, or by `plan` for the plan as a whole.
            budget: Caps of this run to be raised, by name: `{"usd": 2.0}`.
            workflow: A corrected one; what the run has committed under the same words is kept, the rest is done anew.

        Raises:
            RunError: There is no such run, it is done, an answer does not fit what waits, a cap would be lower, or
                the workflow is of another name or its plan must not run.
            ConfigError: The workflow cannot be loaded any more, for instance for want of a variable.
        """
        return await (await self.reopen(run_id, approvals, budget=budget, workflow=workflow)).result()

    async def reopen(
        self,
        run_id: str,
        approvals: Answers | None = None,
        *,
        budget: Mapping[str, Json] | None = None,
        workflow: Workflow | None = None,
        account: Ledger | None = None,
    ) -> RunHandle:
        """Take a run up as `resume` does and return its handle at once; `account` as in `submit`."""
        shared, _ = self._opened()
        found = await self._journal.find(run_id)
        await self._journal.take(found)
        try:
            answers = {name: as_answer(given) for name, given in (approvals or {}).items()}
            wire = Wire(self._rehearsal, self._base_url)
            log, parts = await take_up(shared, self._maker, wire, found, answers, budget, workflow)
            return await self._start(log, parts, account)
        except BaseException:
            await asyncio.shield(self._journal.release(found))
            raise

    async def answer(self, run_id: str, answers: Answers) -> bool:
        """Answer what waits in a run that another process may be at work on; return when it is known who has them.

        Args:
            run_id: Its id, a prefix of it, or `last`.
            answers: By node id, or by `plan` for the plan as a whole.

        Returns:
            Whether the process at work took them in. Else there is none, or the run came to rest before: the
            answers are left for whoever resumes it.

        Raises:
            RunError: There is no such run, or an answer is to nothing that waits or does not fit it.
        """
        given = {name: as_answer(answer) for name, answer in answers.items()}
        return await tell(self._journal, self._inbox, await self._journal.find(run_id), given)

    async def drain(self, grace_s: float = 20.0) -> None:
        """Stop all runs in good order, for a process that is told to end: each can be resumed.

        Args:
            grace_s: Seconds that attempts under way have to end; no further one begins.
        """
        async with asyncio.TaskGroup() as group:
            for handle in list(self._handles.values()):
                group.create_task(handle.drain(grace_s))

    async def runs(self, limit: int = 20) -> list[RunSummary]:
        """Return the newest runs of the journal, newest first."""
        return await self._journal.runs(limit)

    async def view(self, run_id: str) -> RunView:
        """Return a run as its journal tells it; `interrupted` is one whose process is gone.

        Raises:
            RunError: There is no such run.
            JournalError: The journal is damaged.
        """
        return await self._journal.view(run_id)

    async def history(self, run_id: str) -> list[ev.AnyEvent]:
        """Return all events of a run in order.

        Raises:
            RunError: There is no such run.
            JournalError: The journal is damaged.
        """
        return await self._journal.events(await self._journal.find(run_id))

    async def artifact(self, run_id: str, digest: str) -> bytes:
        """Return a large value that models were shown as the handle `sha256:...`: text in UTF-8, or JSON.

        Raises:
            RunError: There is no such run, or it has no such artifact.
        """
        return await Artifacts(self._journal, await self._journal.find(run_id)).fetch(digest)

    def memories(self, scope: str | None = None, *, tenant: str = "") -> Memories:
        """Return what runs have kept for later ones, to be searched, listed and forgotten.

        Args:
            scope: A workflow's name or the `scope` of its memory; `None` for all of the tenant's.
            tenant: Whose they are.
        """
        return Memories(self._journal, scope, tenant)

    async def gc(
        self,
        *,
        older_than_s: float = MONTH_S,
        keep: int = 0,
        statuses: Collection[Ending] = OVER,
        dry_run: bool = False,
    ) -> Collected:
        """Delete old runs with everything the journal has of them, and give their space back.

        Args:
            older_than_s: Seconds since their last event, at least.
            keep: So many of the newest runs stay, whatever their age.
            statuses: Which runs may go; all but `done` ones could still be resumed.
            dry_run: Delete nothing, say what would go.

        Raises:
            ConfigError: A value is out of range.
            JournalError: The journal cannot be written.
        """
        policy = Retention(older_than_s=older_than_s, keep=keep, statuses=tuple(statuses))
        return await collect(self._journal, self._opened()[0].shell, policy, dry_run=dry_run)

    def _opened(self) -> tuple[Shared, asyncio.TaskGroup]:
        if self._shared is None or self._group is None:
            raise JournalError("the engine is not open; use `async with Engine() as engine`")
        return self._shared, self._group

    async def check(self, workflow: Workflow, pins: Pins | None = None) -> Checked:
        """Compile a workflow without running anything.

        Args:
            workflow: What is looked at.
            pins: What its MCP servers offer; `None` takes the lock file, and knows nothing of them without one.

        Raises:
            ConfigError: It must be fixed first; every finding is listed with line and column.
        """
        wire = Wire(self._rehearsal, self._base_url)
        pins = pins or await asyncio.to_thread(locked, workflow) or Pins()
        return (await asyncio.to_thread(self._maker.make, workflow, wire, pins)).checked

    async def _start(self, log: RunLog, parts: Parts, account: Ledger | None) -> RunHandle:
        shared, group = self._opened()
        handle = RunHandle(log)
        self._handles[log.run_id] = handle
        if self._observers:
            group.create_task(observe(log, self._observers), name=f"observe {log.run_id}")
        task = group.create_task(carry(shared, handle, log, parts, account), name=f"run {log.run_id}")
        task.add_done_callback(lambda _: self._left(handle))
        handle.started(task)
        await asyncio.sleep(0)  # let it begin: a task cancelled before its first step would never end its run
        return handle

    def _left(self, handle: RunHandle) -> None:
        if self._handles.get(handle.run_id) is handle:
            del self._handles[handle.run_id]
