"""The gateway: one HTTP client per event loop, and the rungs that share it."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Self

from planloom.configs.batch import BatchSpec
from planloom.configs.spec import RungSpec
from planloom.core.errors import ConfigError, Problem
from planloom.models.base import Reply, Request
from planloom.models.prices import Price, price_of
from planloom.models.rung import Rung as Rung
from planloom.models.rung import Terms, Wire
from planloom.models.script import Script
from planloom.models.structured import LADDER

if TYPE_CHECKING:
    import httpx2
    from langchain_core.language_models import BaseChatModel

    from planloom.models.openai import Endpoint

OPENAI_URL = "https://api.openai.com/v1"
MOST_BATCHED = 10_000
"""Calls that wait in batches at the same time: as many as a map may have elements."""
REHEARSAL_URL = "http://rehearsal/v1"

Answer = Callable[[Request], Awaitable[Reply | str]]
"""A model from Python: takes a request, returns a reply, or only its text."""


class Gateway:
    """Opens rungs. Enter it on the event loop that makes the calls, and leave it in the same task.

    Nothing heavy is imported and no connection is opened before the first call.

    Args:
        base_url: Server for every rung, over what the workflow and the environment say.
        env: Where keys and `OPENAI_BASE_URL` are read; the process's environment when left out.
        backoff_s: Longest pause before the first retry, in seconds; it doubles with each.
        max_reply_bytes: Bytes of one reply at most; `None` for 64 MiB.
        clock: Monotonic seconds, for the circuit breakers of the rungs.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        env: Mapping[str, str] | None = None,
        backoff_s: float = 0.5,
        max_reply_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url
        self._env = os.environ if env is None else env
        self._backoff_s = backoff_s
        self._max_reply_bytes = max_reply_bytes
        self._clock = clock
        self._rungs: dict[tuple[str, RungSpec], Rung] = {}
        self._clients: dict[int, httpx2.AsyncClient] = {}
        self._scripts: list[Script] = []
        self._opening = asyncio.Semaphore(1)
        self._stack = AsyncExitStack()
        self._tasks: asyncio.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(asyncio.TaskGroup())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is not None and issubclass(kind, asyncio.CancelledError):
                await self._stack.__aexit__(kind, exc, trace)
            else:
                await self._stack.aclose()  # a task group given the caller's error would wrap it
        finally:
            self._clients.clear()
            self._tasks = None

    def rung(self, name: str, spec: RungSpec, *, rehearsal: Script | None = None) -> Rung:
        """Return the rung; the same one for the same spec, so that its limits hold over all runs.

        Args:
            name: The rung's name in the workflow.
            spec: What the workflow says about it.
            rehearsal: Script that answers in place of the model. `times` counts per script object.

        Raises:
            ConfigError: The provider is not known. A missing key is one when the rung is opened.
        """
        if rehearsal is not None:
            return self._make(name, spec, rehearsal)
        if (name, spec) not in self._rungs:
            self._rungs[name, spec] = self._make(name, spec, None)
        return self._rungs[name, spec]

    def plugged(
        self,
        name: str,
        model: "Answer | BaseChatModel",
        *,
        price: Price | None = None,
        max_output_tokens: int = 4096,
        max_parallel: int = 16,
        timeout_s: float = 120.0,
    ) -> Rung:
        """Return a rung over a model from Python: an async function, or a LangChain chat model.

        Args:
            name: The rung's name.
            model: It keeps its own retries; the gateway makes none.
            price: USD per token; without it, a run with a money cap cannot use the rung.
            max_output_tokens: What the budget reserves for one reply.
            max_parallel: Calls under way at the same time.
            timeout_s: Seconds for one call.
        """
        terms = Terms(
            max_output_tokens=max_output_tokens,
            timeout_s=timeout_s,
            retries=0,
            max_parallel=max_parallel,
            modes=("prompt",),
        )

        async def open_wire() -> Wire:
            from planloom.models.plugged import plug

            return plug(name, model)

        return Rung(name, name, terms, open_wire, price=price, clock=self._clock)

    def _make(self, name: str, spec: RungSpec, script: Script | None) -> Rung:
        provider, _, model = spec.model.partition(":")
        if provider not in ("openai", "rehearsal") or not model:
            wanted = "expected `openai:NAME` (any server that speaks OpenAI's API, see base_url) or `rehearsal:NAME`"
            raise _wrong(f"models.{name}.model", f"{wanted}, found {spec.model!r}")
        if provider == "rehearsal" and script is None:
            raise _wrong(f"models.{name}.script", f"expected a script for {spec.model!r}, found none")
        url = self._base_url or spec.base_url or self._env.get("OPENAI_BASE_URL") or OPENAI_URL
        where = REHEARSAL_URL if script is not None else url

        async def open_wire() -> Wire:
            key = "none" if script is not None else self._key(name, spec, url)
            client = await self._client(script)
            from planloom.models.openai import Endpoint, OpenAIWire

            endpoint = Endpoint(spec=spec, model=model, base_url=where, key=key)
            if spec.batch is not None:
                return await self._batched(endpoint, spec.batch, client)
            return await asyncio.to_thread(OpenAIWire, endpoint, client)

        price = price_of(spec, url)
        terms, rehearsal = self._terms(spec), script is not None
        batch = spec.batch is not None
        return Rung(name, model, terms, open_wire, price=price, rehearsal=rehearsal, batch=batch, clock=self._clock)

    async def _batched(self, endpoint: "Endpoint", spec: BatchSpec, client: "httpx2.AsyncClient") -> Wire:
        from planloom.models.batch import BatchTransport, BatchWire
        from planloom.models.openai import OpenAIWire, open_client

        transport = BatchTransport(client, spec, self._running)
        through = await self._stack.enter_async_context(open_client(transport))
        return BatchWire(await asyncio.to_thread(OpenAIWire, endpoint, through), transport)

    @property
    def _running(self) -> asyncio.TaskGroup:
        if self._tasks is None:
            raise RuntimeError("the gateway is not open: use `async with Gateway()`")
        return self._tasks

    def _terms(self, spec: RungSpec) -> Terms:
        if spec.batch is not None:
            return Terms(
                max_output_tokens=spec.max_output_tokens,
                timeout_s=spec.batch.most_s,
                retries=0,
                max_parallel=MOST_BATCHED,
                modes=LADDER[:1] if spec.structured == "auto" else (spec.structured,),
            )
        return Terms(
            max_output_tokens=0 if spec.api == "embeddings" else spec.max_output_tokens,
            timeout_s=spec.timeout,
            retries=spec.retries,
            max_parallel=spec.max_parallel,
            backoff_s=self._backoff_s,
            requests_per_min=spec.rate.requests,
            tokens_per_min=spec.rate.tokens,
            modes=LADDER if spec.structured == "auto" else (spec.structured,),
        )

    def _key(self, name: str, spec: RungSpec, url: str) -> str:
        """Return the key. A server of one's own may need none; OpenAI's does.

        Raises:
            ConfigError: The key for OpenAI's own service is not set.
        """
        key = self._env.get(spec.api_key_env, "").strip()
        if not key and url.startswith("https://api.openai.com"):
            text = f"the environment variable {spec.api_key_env} is not set; it must hold the API key"
            other = "name a server of your own with base_url, OPENAI_BASE_URL or --base-url, or use --rehearsal SCRIPT"
            raise _wrong(f"models.{name}.api_key_env", f"{text} (or {other})")
        return key or "none"

    async def _client(self, script: Script | None) -> "httpx2.AsyncClient":
        """Return the shared HTTP client, or the one that leads to a script's server in process."""
        which = id(script) if script is not None else 0
        async with self._opening:
            if which not in self._clients:
                tasks = self._running
                # Seconds of imports, and certificates from disk: not on the event loop.
                await asyncio.to_thread(import_module, "planloom.models.openai")
                self._clients[which] = await self._open(script, tasks)
            return self._clients[which]

    async def _open(self, script: Script | None, tasks: asyncio.TaskGroup) -> "httpx2.AsyncClient":
        from planloom.models.openai import MAX_REPLY_BYTES, open_client

        if script is None:
            most = self._max_reply_bytes or MAX_REPLY_BYTES
            client = await asyncio.to_thread(open_client, max_reply_bytes=most)
        else:
            from planloom.models.asgi import StreamingASGITransport
            from planloom.models.rehearsal import rehearsal_app

            self._scripts.append(script)  # kept alive: its id stands for it
            client = open_client(StreamingASGITransport(rehearsal_app(script), tasks))
        return await self._stack.enter_async_context(client)


def _wrong(field: str, message: str) -> ConfigError:
    return ConfigError("<models>", [Problem(message, field)])
