"""What outlives a run: facts and results that later runs may recall, each with where it came from."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from planloom.core.json import Json, digest

MemoryKind: TypeAlias = Literal["fact", "result"]
"""`fact`: a node said what it is about. `result`: kept because it passed its checks."""
Way: TypeAlias = Literal["words", "vectors"]
"""How a search finds an entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an entry came from."""

    run_id: str
    workflow: str
    node_id: str
    input_digest: str
    """Identity of the work together with its run and node."""
    model: str = ""
    """As the provider names it; empty where no model was asked."""
    checks: tuple[str, ...] = ()
    """The checks that the result passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One entry. Times are seconds since the epoch."""

    id: str
    """Identity within its namespace, by `identify`."""
    kind: MemoryKind
    subject: str
    """What it is about; a newer entry on the same subject takes its place."""
    text: str
    """What is found and shown."""
    value: Json
    """The value itself; `None` where it was too large to keep."""
    origin: Origin
    at: float
    untrusted: tuple[str, ...] = ()
    """Tools and inputs whose text, written by others, may be in it; empty when it can be trusted."""
    expires_at: float | None = None
    recalls: int = 0
    """How often it was shown to a model."""
    namespace: str = ""
    """Where it is kept."""
    vector_model: str = ""
    """Model that made its vector; empty where it has none yet."""
    found_by: tuple[Way, ...] = ()
    """How the search found it that returned it; empty where none did."""


def identify(kind: MemoryKind, subject: str, *, trusted: bool) -> str:
    """Return the identity of what is known of a subject. What is untrusted never takes the place of what is trusted."""
    return digest([kind, " ".join(subject.split()).casefold(), trusted])
