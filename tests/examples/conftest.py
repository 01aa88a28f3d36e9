"""What the examples' tests share: where they are, and their scripts without the pauses that are for watching."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml

from planloom.configs.load import Workflow
from planloom.core.events import AnyEvent
from planloom.core.json import JsonObject
from planloom.core.result import RunResult
from planloom.engine import Engine
from planloom.models.base import Request
from planloom.models.gateway import Gateway

ROOT = Path(__file__).parents[2]
