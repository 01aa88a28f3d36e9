"""What is alive while an app is up: the engine, who follows which run, what is under way for whom."""

import asyncio
import logging
import signal
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import FrameType

from fastapi import FastAPI
from starlette.applications import Starlette

from planloom.core.plan import RunId
from planloom.engine import Engine
from planloom.handle import RunHandle
from planloom.service.adoption import Adoption
from planloom.service.limits import Limits
from planloom.service.logins import FailedLogins
from planloom.service.quota import Accounts, Rates
from planloom.service.standing import Standing
from planloom.service.tail import Tails
from planloom.service.webhooks import Webhooks, delivering
from planloom.state.audit import Audit
from planloom.state.keys import Keys
from planloom.state.owners import Owners
from planloom.state.quotas import Quotas

_log = logging.getLogger("planloom.service")


class Runtime:
    """What all requests share while the app is up."""

    def __init__(self, engine: Engine, group: asyncio.TaskGroup) -> None:
        self.engine = engine
        self.owners = Owners(engine.journal)
        self.keys = Keys(engine.journal)
        self.audit = Audit(engine.journal)
        self.accounts = Accounts(Quotas(engine.journal), self.owners)
        self.rates = Rates()
        self.logins = FailedLogins()
        self.standing = Standing(self.keys)
        self.tails = Tails(engine, self.owners, group)
        self.streams: Counter[str] = Counter()
        """Open streams by tenant."""
        self.runs: dict[RunId, str] = {}
        """Tenants of the runs that are under way, or about to be."""
        self.draining = False
        self._group = group

    @contextmanager
    def place(self, run_id: RunId, tenant: str) -> Generator[None]:
        """Count a run that is about to begin; no longer, where it has not begun at the end."""
        self.runs[run_id] = tenant
        try:
            yield
        finally:
            if self.engine.at_work(run_id) is None:
                self.runs.pop(run_id, None)

    @contextmanager
    def stream(self, tenant: str) -> Generator[None]:
        """Count a stream while it is open."""
        self.streams[tenant] += 1
        try:
            yield
        finally:
            self.streams[tenant] -= 1

    def watch(self, handle: RunHandle, tenant: str) -> None:
        """Count a run until it comes to rest."""
        self.runs[handle.run_id] = tenant
        self._group.create_task(self._watched(handle), name=f"watch {handle.run_id}")

    async def _watched(self, handle: RunHandle) -> None:
        try:
            status = (await handle.result()).status
            if status in ("done", "partial", "failed"):
                await self.owners.want(handle.run_id, wanted=False)
        except Exception:
            _log.exception("run %s could not be carried to its end", handle.run_id)
        finally:
            self.runs.pop(handle.run_id, None)

    def drain(self) -> None:
        """Take no more runs and end the streams; what runs has until the app is closed."""
        self.draining = True
        self.tails.close()


def lifespan(
    engine: Engine, *, limits: Limits | None = None, drain_s: float = 20.0, webhooks: Webhooks | None = None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the lifespan of an app that serves `router(engine)`.

    It opens the engine and takes up runs whose process is gone, as many as it has room for, now and as long as it is
    up. On SIGTERM no more runs are taken and streams end at once; attempts under way have some time to end before what
    is left is stopped, to be taken up by another server or at the next start.

    Args:
        engine: Not yet entered.
        limits: Those of the router, for the runs that are taken up.
        drain_s: Seconds that attempts under way have to end when the app is closed.
        webhooks: Who is told when runs end or wait for a person.
    """

    @asynccontextmanager
    async def alive(app: FastAPI) -> AsyncGenerator[None]:
        async with engine, asyncio.TaskGroup() as group, delivering(webhooks or Webhooks(), engine.journal):
            runtime = Runtime(engine, group)
            _alive_in(app)[engine] = runtime
            adoption = Adoption(runtime, limits or Limits())
            adopting = group.create_task(adoption.serve(), name="adoption")
            await adoption.begun()
            with _on_sigterm(runtime.drain):
                try:
                    yield
                finally:
                    runtime.drain()
                    adopting.cancel()
                    await engine.drain(drain_s)
                    del _alive_in(app)[engine]

    return alive


def _alive_in(app: Starlette) -> dict[Engine, Runtime]:
    """Return what is alive by engine: an app may have several."""
    found: dict[Engine, Runtime] | None = getattr(app.state, "planloom", None)
    if found is None:
        found = app.state.planloom = dict[Engine, Runtime]()
    return found


def runtime_of(app: Starlette, engine: Engine) -> Runtime | None:
    """Return what is alive of an engine in an app; `None` while its lifespan is not entered."""
    return _alive_in(app).get(engine)


@contextmanager
def _on_sigterm(call: Callable[[], None]) -> Generator[None]:
    """Call a function on SIGTERM, before what the server does then: it waits for streams that only we can end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(call)
        if callable(before):
            before(number, frame)

    if not callable(before):  # nobody handles it: the process ends at once, as it would without us
        yield
        return
    signal.signal(signal.SIGTERM, told)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
