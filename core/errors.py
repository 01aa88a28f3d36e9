"""What can go wrong, grouped by who must act.

PlanloomError
├── ConfigError      the user fixes the file (.path, .problems)
├── PlanError        the planner may try again (.findings)
├── NodeError        the router decides: ToolError, ModelError, CheckError
├── BudgetExceeded   the run stops, or a cheaper way is found (.limit, .cap, .needed)
└── RunError         the caller asked for something that is not there, or not possible now
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from planloom.core.outcome import FailureKind
    from planloom.core.plan import Finding


class PlanloomError(Exception):
    """Base of every error that Planloom raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: where it stands, what was found, what was expected."""

    message: str
    field: str = ""
    """Dotted path of the field, such as `nodes.draft.tools[0]`; empty for the whole file."""
    line: int = 0
    """1-based; 0 when the position is unknown."""
    column: int = 0


class ConfigError(PlanloomError):
    """A workflow, script or command line the user must fix; every problem found is listed."""

    def __init__(self, path: Path | str, problems: Sequence[Problem]) -> None:
        self.path = str(path)
        self.problems = tuple(problems)
        super().__init__("\n".join(self._line(problem) for problem in self.problems))

    def _line(self, problem: Problem) -> str:
        where = f"{self.path}:{problem.line}:{problem.column}" if problem.line else self.path
        field = f"{problem.field}: " if problem.field else ""
        return f"{where}: {field}{problem.message}"


class PlanError(PlanloomError):
    """A plan that must not run; the findings go back to whoever wrote it."""

    def __init__(self, findings: "Sequence[Finding]") -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(finding.text for finding in self.findings))


class NodeError(PlanloomError):
    """One attempt of one node failed; the router decides what follows."""


class ToolError(NodeError):
    """A tool refused or failed; the message is safe to show to a model."""

    def __init__(self, tool: str, message: str, *, trace: str = "", permanent: bool = False) -> None:
        self.tool = tool
        self.message = message
        self.trace = trace
        """Traceback of the user's own code, for people."""
        self.permanent = permanent
        """A rule refused the call before anything was done: the same call would be refused again."""
        super().__init__(f"tool {tool!r}: {message}")


class ModelError(NodeError):
    """A model call gave no usable reply, after the gateway's own retries."""

    def __init__(self, rung: str, kind: "FailureKind", message: str, *, billed: bool = False) -> None:
        self.rung = rung
        self.kind = kind
        self.message = message
        self.billed = billed
        """The provider may have billed the call although its reply was lost."""
        super().__init__(f"model {rung!r}: {message}")


class CheckError(NodeError):
    """A check cannot run, whatever the answer is: another attempt would only cost money."""

    def __init__(self, index: int, message: str, *, trace: str = "") -> None:
        self.index = index
        """Which of the node's checks."""
        self.message = message
        self.trace = trace
        super().__init__(f"check {index + 1} cannot run: {message}")


class BudgetExceeded(PlanloomError):
    """A call that does not fit under a cap was not made."""

    def __init__(self, limit: str, cap: float, needed: float) -> None:
        self.limit = limit
        self.cap = cap
        self.needed = needed
        super().__init__(f"budget {limit}: cap {cap:g}, the next call could bring it to {needed:g}")


class RunError(PlanloomError):
    """There is no such run, or it is not in a state that allows what was asked."""


def to_be_shown(error: BaseException) -> Exception:
    """Return the error that people should see: of a group whose errors say the same one of them, else the group."""
    leaves = list(_leaves(error))
    if len({(type(leaf), str(leaf)) for leaf in leaves}) == 1:
        error = leaves[0]
    return error if isinstance(error, Exception) else RuntimeError("the run was torn down")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    inner = cast("Sequence[BaseException]", getattr(error, "exceptions", ()))
    if not inner:
        yield error
    for part in inner:
        yield from _leaves(part)
