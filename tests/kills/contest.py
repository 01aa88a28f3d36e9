"""One of two processes that resume the same runs; a forked server imports it by name, so it is no test module."""

import asyncio
from multiprocessing.connection import Connection

from planloom import tool
from planloom.core.errors import RunError
from planloom.engine import Engine


@tool(effect="write")
def send(n: int, path: str) -> int:
    """Append a letter to a file."""
    with open(path, "a", encoding="utf-8") as box:
        box.write("x")
    return n


def contend(journal: str, line: Connection) -> None:
    """Resume each run that is named at the other end of the line, and say how it went."""
    asyncio.run(_contend(journal, line))


async def _contend(journal: str, line: Connection) -> None:
    async with Engine(journal=journal, tools={"send": send}) as engine:
        line.send("ready")
        while run_id := await asyncio.to_thread(line.recv):
            try:
                line.send((await engine.resume(run_id, {"gate": True})).status)
            except RunError as exc:
                line.send(str(exc))
