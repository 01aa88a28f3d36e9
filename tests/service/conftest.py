"""A service that a test starts as it needs it."""

import asyncio
from pathlib import Path

import pytest
from service_support import Gate, Serve


@pytest.fixture
def gate() -> Gate:
    return Gate(asyncio.Event())


@pytest.fixture
def serve(tmp_path: Path, gate: Gate) -> Serve:
    return Serve(tmp_path, gate)
