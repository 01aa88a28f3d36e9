"""Shared by all tests: a model server on a port, workflows as text, and no silent skips in CI."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing import forkserver
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from ports import on_port
from postgres import Postgres, served
from support import MakeWorkflow, ModelServer, ServeModel

from planloom.configs.load import Workflow
from planloom.models.rehearsal import rehearsal_app
from planloom.models.script import load_script

# How long an example takes is the machine's affair, on a desk as in CI, for which hypothesis has such a profile.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if not os.environ.get("CI"):
    settings.load_profile("desk")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Let `-n auto` be three processes for two cores: tests wait for servers and other processes much of their time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported to collect tests stays: no look for garbage, then or in a test, needs to pass through it."""
    gc.disable()
    try:
        collected = yield
        if "programs" in sys.modules:
            forkserver.ensure_running()  # what it imports counts into no test's time
        return collected
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """A test that would skip fails in CI: a missing service must not look like a pass."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Postgres]:
    with served() as server:
        yield server


@pytest.fixture(scope="module")
def postgres(_postgres: Postgres) -> Postgres:
    """A PostgreSQL server with a database of the module's own; skips where none is installed."""
    return _postgres.apart()


@pytest.fixture(scope="session")
def _pgvector() -> Iterator[Postgres]:
    with served(pgvector=True) as server:
        yield server


@pytest.fixture(scope="module")
def pgvector(_pgvector: Postgres) -> Postgres:
    """A PostgreSQL server that has pgvector, with a database of the module's own; skips where none is installed."""
    return _pgvector.apart()


@asynccontextmanager
async def _served(path: Path) -> AsyncIterator[ModelServer]:
    app = rehearsal_app(load_script(path))
    async with on_port(app, forced=True) as url:
        yield ModelServer(f"{url}/v1", app.state.requests)


@pytest.fixture
async def serve_model(tmp_path: Path) -> AsyncIterator[ServeModel]:
    """Start scripted model servers; they stop with the test."""
    async with AsyncExitStack() as stack:

        async def serve(script: str) -> ModelServer:
            path = tmp_path / f"script{len(list(tmp_path.glob('script*')))}.yaml"
            path.write_text(script)
            return await stack.enter_async_context(_served(path))

        yield serve


@pytest.fixture
def make_workflow(tmp_path: Path) -> MakeWorkflow:
    """Build a workflow from its YAML below `version`, `name` and two models, `mini` and `big`."""

    def make(body: str, *, models: str = MODELS) -> Workflow:
        return Workflow.from_text(f"version: 1\nname: test\n{models}{body}", base_dir=tmp_path, env={})

    return make


MODELS = """
models:
  mini: {model: "openai:mini", price: {input: 1, output: 1}}
  big: {model: "openai:big", price: {input: 10, output: 10}}
"""
