"""What a query and the entries it may find mean, as an embedding model says; a run never fails on it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from planloom.core.errors import BudgetExceeded, ModelError
from planloom.core.memory import MemoryKind
from planloom.core.plan import Node
from planloom.graphs.context import Run
from planloom.graphs.meter import Meter
from planloom.models.base import ChatModel, Message, Request
from planloom.state.memories import KINDS, Memories
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
    """Return what a run's query means, as `meaning` does, paid from its node's account; nothing without a model for it.

    Raises:
        JournalError: The memories cannot be read or written.
    """
    name = run.spec.memory.embeddings if run.spec.memory else None
    if name is None:
        return Near()
    ledger = run.ledger_of(node.id, node.max_cost_usd) if node else run.ledger
    meter = Meter(run.rungs[name], ledger, run.log, node_id=node.id if node else None, attempt=0)
    found = await meaning(
        meter, memories, query, node_id=node.id if node else "", kinds=kinds, trusted_only=trusted_only
    )
    return replace(found, warning=f"{name}: {found.warning}") if found.warning else found


async def meaning(
    model: ChatModel,
    memories: Memories,
    query: str,
    *,
    node_id: str = "",
    kinds: Collection[MemoryKind] = KINDS,
    trusted_only: bool = False,
) -> Near:
    """Return what a query means, and see to it that entries which it may find can be compared with it.

    Entries without a vector of the same model get one now, the newest first, 64 at most; the others wait for later
    recalls, and are found by their words until then.

    Raises:
        JournalError: The memories cannot be read or written.
    """
    found: Vector | None = None
    if not query.strip():
        return Near()
    try:
        (found,) = await _vectors(model, [query], node_id)
        waiting = await memories.without(found, limit=_BATCH, kinds=kinds, trusted_only=trusted_only)
        if waiting:
            made = await _vectors(model, [f"{memory.subject}\n{memory.text}" for memory in waiting], node_id)
            await memories.place(list(zip(waiting, made, strict=True)))
    except (ModelError, BudgetExceeded, ValueError) as exc:
        return Near(found, str(exc))
    return Near(found)


async def _vectors(model: ChatModel, texts: Sequence[str], node_id: str) -> list[Vector]:
    """Ask for vectors.

    Raises:
        ModelError: There are none.
        BudgetExceeded: They are not paid for.
        ValueError: They are none.
    """
    messages = tuple(Message(role="user", text=text[:_TEXT_CHARS].strip() or "-") for text in texts)
    reply = await model(Request(messages=messages, role="embedding", node_id=node_id))
    if len(reply.vectors) != len(texts):
        raise ValueError(f"expected {len(texts)} vectors, found {len(reply.vectors)}")
    return [Vector.of(reply.model, values) for values in reply.vectors]
