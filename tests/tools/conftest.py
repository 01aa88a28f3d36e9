"""Open sandboxes, and an honest word about machines that cannot confine a process."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from canary import Canary, canary

from planloom.tools import confine
from planloom.tools.box import BoxResult
from planloom.tools.sandbox import Sandbox


@pytest.fixture(scope="session")
def cpython_box() -> None:
    """Skip where the kernel cannot confine a process; on CI that is a failure."""
    if lack := confine.missing():
        if os.environ.get("CI"):
            pytest.fail(f"CI must be able to run the cpython box, but this machine lacks {lack}")
        pytest.skip(f"the cpython box needs {lack}")


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as opened:
        yield opened


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Things on this machine that no code in a sandbox may reach."""
    with canary(tmp_path) as found:
        monkeypatch.setenv("PLANLOOM_SECRET", found.secret)
        yield found


@pytest.fixture
def failing() -> Callable[[BoxResult], str]:
    """Return the error of a run that must have failed without giving a value."""

    def error(result: BoxResult) -> str:
        assert result.value is None, result
        assert result.error, result
        return result.error

    return error
