"""A provider on a real socket, and a gateway that leads to it."""

import pytest
from wire import Kit


@pytest.fixture
def kit() -> Kit:
    return Kit()
