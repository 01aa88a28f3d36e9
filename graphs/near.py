"""What a query and the entries it may find mean, as an embedding model says; a run never fails on it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from planloom.core.errors import BudgetExceeded, ModelError
from planloom.core.memory import MemoryKind
from planloom.core.plan import Node
from planloom.graphs.context import Run
from planloom.graphs.meter import Meter
from planloom.models.base import Message, Request
from planloom.state.memories import Memories
from planloom.state.vectors import Vector

_TEXT_CHARS = 2000
"""Of a query, and of an entry; models of embeddings take about 8,000 tokens a text."""
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Near:
    """What a query means; without a vector, words alone find what fits it."""

    vector: Vector | None = None
    warning: str = ""
    """What went wrong."""


async def near(
    run: Run, memories: Memories, query: str, node: Node | None, *, kinds: Collection[MemoryKind], trusted_only: bool
) -> Near:
    """Return what a query means, and see to it that entries which it may find can be compared with it.

    Entries without a vector of the same model get one now, the newest first, 64 at most; the others wait for later
    recalls, and are found by their words until then.

    Raises:
        JournalError: The memories cannot be read or written.
    """
    name = run.spec.memory.embeddings if run.spec.memory else None
    if name is None or not query.strip():
        return Near()
    ledger = run.ledger_of(node.id, node.max_cost_usd) if node else run.ledger
    meter = Meter(run.rungs[name], ledger, run.log, node_id=node.id if node else None, attempt=0)
    found: Vector | None = None
    try:
        (found,) = await _vectors(meter, [query], node)
        waiting = await memories.without(found, limit=_BATCH, kinds=kinds, trusted_only=trusted_only)
        if waiting:
            made = await _vectors(meter, [f"{memory.subject}\n{memory.text}" for memory in waiting], node)
            await memories.place(list(zip(waiting, made, strict=True)))
    except (ModelError, BudgetExceeded, ValueError) as exc:
        return Near(found, f"{name}: {exc}")
    return Near(found)


async def _vectors(meter: Meter, texts: Sequence[str], node: Node | None) -> list[Vector]:
    """Ask for vectors.

    Raises:
        ModelError: There are none.
        BudgetExceeded: They are not paid for.
        ValueError: They are none.
    """
    messages = tuple(Message(role="user", text=text[:_TEXT_CHARS].strip() or "-") for text in texts)
    reply = await meter(Request(messages=messages, role="embedding", node_id=node.id if node else ""))
    if len(reply.vectors) != len(texts):
        raise ValueError(f"expected {len(texts)} vectors, found {len(reply.vectors)}")
    return [Vector.of(reply.model, values) for values in reply.vectors]
