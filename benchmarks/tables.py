"""The same questions to one CSV file through `duckdb:`, and through SQLite, where `csv:` puts it.

`python -P benchmarks/tables.py --rows 1000000` writes the file, opens it both ways, and prints seconds.
"""

import argparse
import asyncio
import csv
import random
import tempfile
import time
from pathlib import Path

from planloom.configs.spec import ToolSpec
from planloom.core.json import Json
from planloom.core.plan import ToolName
from planloom.tools.sandbox import Sandbox
from planloom.tools.toolbox import Toolbox

QUESTIONS = {
    "count": "SELECT count(*) AS n FROM sales",
    "group": "SELECT region, count(*) AS n, sum(units) AS units FROM sales GROUP BY region ORDER BY region",
    "filter": "SELECT id, price FROM sales WHERE units = 7 AND price > 99 ORDER BY id LIMIT 20",
    "window": (
        "SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY region ORDER BY price DESC, id) AS place FROM sales)"
        " AS ranked WHERE place <= 3 ORDER BY id"
    ),
}


def write(path: Path, rows: int) -> None:
    draw = random.Random(7)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "region", "units", "price", "note"])
        for number in range(rows):
            price = round(draw.random() * 100, 2)
            writer.writerow([number, f"region {draw.randrange(40)}", draw.randrange(20), price, f"note {number % 999}"])


async def measure(kind: str, folder: Path) -> dict[str, Json]:
    spec = ToolSpec(sql=f"{kind}:sales.csv", timeout=120)
    started = time.monotonic()
    async with Toolbox({"db": spec}, base_dir=folder, sandbox=Sandbox()) as box:
        print(f"{kind:7} open    {time.monotonic() - started:7.2f} s")
        answers: dict[str, Json] = {}
        for name, sql in QUESTIONS.items():
            started = time.monotonic()
            answers[name] = await box.call(ToolName("db.query"), {"sql": sql})
            print(f"{kind:7} {name:7} {time.monotonic() - started:7.3f} s")
    return answers


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows: int = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "sales.csv", rows)
        print(f"{rows} rows, {(folder / 'sales.csv').stat().st_size / 1e6:.0f} MB")
        if await measure("csv", folder) != await measure("duckdb", folder):
            raise SystemExit("the two do not agree")
    print("the same answers")


if __name__ == "__main__":
    asyncio.run(main())
