"""A service that a test starts as it needs it, and one browser for all tests of the pages."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from browser import chromium
from playwright.async_api import Browser
from service_support import Gate, Serve


@pytest.fixture
def gate() -> Gate:
    return Gate(asyncio.Event())


@pytest.fixture
def serve(tmp_path: Path, gate: Gate) -> Serve:
    return Serve(tmp_path, gate)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Tests that take it run in the session's loop: `pytestmark = pytest.mark.asyncio(loop_scope="session")`."""
    async with chromium() as found:
        yield found
