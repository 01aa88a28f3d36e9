"""What goes into a sandbox and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from planloom.core.json import Json

MAX_OUTPUT_BYTES = 1_000_000
"""Of printed text, and of the value as JSON, each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of code to run."""

    code: str
    variables: Mapping[str, Json]
    timeout_s: float
    max_memory_mb: int
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Scratch files by name, there when the code starts; names without folders."""
    preload: tuple[str, ...] = ()
    """Installed libraries the code imports, imported before the box is closed."""
    keep_files: bool = False
    """Hand the files back that the code left in its scratch folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxResult:
    """How one run ended. A fault of the code, or of its box, is a text in `error`, never an exception."""

    value: Json
    """Value of the last expression, or of the variable `result` where the code sets one."""
    stdout: str
    error: str = ""
    """Type and message, such as `AssertionError: got 3`; empty when all went well."""
    line: int = 0
    """Line of the code that failed, 1-based; 0 when it has none."""
    loaded_line: int = 0
    """Line of the tested code that failed, where there is such code."""
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    """Files left in the scratch folder, by name, if they were asked for."""
    box: str


def stopped(job: Job, box: str, stdout: str = "") -> BoxResult:
    """Return the result of code that ran out of time."""
    return BoxResult(value=None, stdout=stdout, error=f"TimeoutError: stopped after {job.timeout_s:g} s", box=box)


def out_of_memory(job: Job) -> str:
    """Return the error text of code that asked for more memory than it may have."""
    return f"MemoryError: used more than {job.max_memory_mb} MiB"
