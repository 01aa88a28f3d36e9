"""The commands of docs/operations.md run as they stand; the flags and variables it names exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = "".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
SOURCES = "".join(
    path.read_text(encoding="utf-8")
    for room in ("planloom", "configs", "state", "models", "core")
    for path in (ROOT / room).rglob("*.py")
)


@pytest.mark.timeout(300)  # eight programs start one after the other
def test_the_commands_print_what_the_page_says(tmp_path: Path) -> None:
    python = f"{sys.executable} -P"
    done = []
    for line in BLOCKS.splitlines():
        command, _, printed = line.partition("# prints ")
        done.append((command, printed))
    script = "set -eu\n" + "\necho NEXT\n".join(command for command, _ in done)
    script = script.replace("planloom ", f"{python} -m planloom ").replace("\npython -c", f"\n{python} -c")
    ran = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.split("NEXT\n")
    assert [(command, out) for (command, printed), out in zip(done, said, strict=True) if printed not in out] == []


def test_what_the_page_names_exists() -> None:
    names = {*re.findall(r"\bPLANLOOM_[A-Z_]+", PAGE), *re.findall(r" --([a-z][a-z-]+)", PAGE)} - {"kills", "seed"}
    assert len(names) > 12
    assert [name for name in sorted(names) if name not in SOURCES and name.replace("-", "_") not in SOURCES] == []
    assert [path for path in re.findall(r"benchmarks/\w+\.py", PAGE) if not (ROOT / path).is_file()] == []
