"""Memories as earlier runs have left them."""

from planloom.core.memory import Memory, Origin, identify
from planloom.state.journal import Journal
from planloom.state.memories import Memories


def entry(subject: str, text: str = "text", *, untrusted: tuple[str, ...] = (), at: float = 1e9) -> Memory:
    return Memory(
        id=identify("fact", subject, trusted=not untrusted),
        kind="fact",
        subject=subject,
        text=text,
        value=text,
        origin=Origin(run_id="earlier", workflow="test", node_id="n", input_digest="d"),
        at=at,
        untrusted=untrusted,
    )


async def fill(journal: str, *entries: Memory, tenant: str = "") -> None:
    async with Journal(journal) as opened:
        for item in entries:
            await Memories(opened, "test", tenant).keep(item, max_entries=99)
