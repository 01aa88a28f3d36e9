"""Ways to find the nearest of many memories, side by side: which nearest each finds, and the time it takes.

python -P benchmarks/memory.py [--rows 10000] [--dimensions 1536] [postgresql://...]

The database is an empty one whose role may `CREATE EXTENSION vector`. Without one, only SQLite is measured.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, text

from planloom.core.memory import Memory, Origin, identify
from planloom.state.journal import Journal
from planloom.state.memories import Memories
from planloom.state.vectors import Vector

TOPICS = 200
NEAREST = 10
BATCH = 500


class Corpus:
    """Entries in topics: those of one topic have a direction in common, and a word."""

    def __init__(self, rows: int, dimensions: int) -> None:
        self._draw = random.Random(7)
        self._topics = [self._anywhere(dimensions) for _ in range(TOPICS)]
        self.rows, self.dimensions = rows, dimensions

    def _anywhere(self, dimensions: int) -> list[float]:
        return [self._draw.gauss(0, 1) for _ in range(dimensions)]

    def near(self, topic: int) -> Vector:
        """Return a vector of a topic."""
        noise = self._anywhere(self.dimensions)
        return Vector.of("m", [mean + 2 * off for mean, off in zip(self._topics[topic], noise, strict=True)])

    def batches(self) -> Iterator[list[tuple[Memory, Vector]]]:
        """Yield the entries with their vectors, the same each time."""
        self._draw.seed(8)
        for first in range(0, self.rows, BATCH):
            numbers = range(first, min(first + BATCH, self.rows))
            yield [(_entry(number), self.near(number % TOPICS)) for number in numbers]


def _entry(number: int) -> Memory:
    subject = f"entry {number} on topic{number % TOPICS}"
    return Memory(
        id=identify("fact", subject, trusted=True),
        kind="fact",
        subject=subject,
        text="what is known of it",
        value=number,
        origin=Origin(run_id="r", workflow="w", node_id="n", input_digest="d"),
        at=1e9 + number,
        namespace="w",
    )


async def fill(memories: Memories, corpus: Corpus) -> None:
    for batch in corpus.batches():
        await memories.take_in([memory for memory, _ in batch])
        await memories.place(batch)


async def measured(memories: Memories, queries: Sequence[tuple[str, Vector | None]]) -> tuple[list[list[str]], float]:
    """Return what each query finds, and the median of the seconds."""
    found, seconds = list[list[str]](), list[float]()
    for words, near in queries:
        started = time.perf_counter()
        hits = await memories.search(words, limit=NEAREST, near=near)
        seconds.append(time.perf_counter() - started)
        found.append([hit.id for hit in hits])
    return found, median(seconds)


async def on(place: str, name: str, corpus: Corpus, asked: list[Vector]) -> dict[str, tuple[list[list[str]], float]]:
    """Measure the ways of one database."""
    by_meaning: list[tuple[str, Vector | None]] = [("", near) for near in asked]
    async with Journal(place) as journal:
        memories = Memories(journal, "w")
        await fill(memories, corpus)
        told = {f"{name}: words": await measured(memories, [(f"topic{i}", None) for i in range(len(asked))])}
        told[f"{name}: cosine in process"] = await measured(memories, by_meaning)
        if place.startswith("postgresql"):
            await journal.transact(lambda connection: _run(connection, "CREATE EXTENSION vector"))
            told[f"{name}: pgvector"] = await measured(memories, by_meaning)
            await journal.transact(lambda connection: _run(connection, "DROP EXTENSION vector"))
        await memories.forget()
    return told


def _run(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--dimensions", type=int, default=1536)
    parser.add_argument("--queries", type=int, default=5)
    parser.add_argument("database", nargs="?", default="", help="postgresql://...")
    args = parser.parse_args()
    corpus = Corpus(args.rows, args.dimensions)
    asked = [corpus.near(topic) for topic in range(args.queries)]
    with tempfile.TemporaryDirectory() as folder:
        told = await on(str(Path(folder) / "j.db"), "SQLite", corpus, asked)
    exact, seconds = told["SQLite: cosine in process"]
    if args.database:
        told |= await on(args.database, "PostgreSQL", corpus, asked)
    print(f"{args.rows:,} entries, {args.dimensions} dimensions, {len(asked)} queries")
    print(f"{'way':<32} {f'of the {NEAREST} nearest':>16} {'time':>8} {'over SQLite in process':>24}")
    for way, (found, took) in told.items():
        both = sum(len({*here} & {*there}) for here, there in zip(found, exact, strict=True))
        share = both / sum(map(len, exact))
        print(f"{way:<32} {share:>16.2f} {took:>6.3f} s {took / seconds:>24.3f}")


if __name__ == "__main__":
    asyncio.run(main())
