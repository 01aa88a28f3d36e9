"""The commands of docs/service.md run as they stand, in order, against a real server."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ports import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
CHECKED = """
checked() {
  said=$(eval "$1"); printf '%s\\n' "$said"
  case "$said" in *"$2"*) ;; *) echo "MISSING $2 in: $1"; exit 1;; esac
}
"""


def script_of(page: str) -> str:
    """Write the shell blocks as one script that stops where a command does not print what the page says."""
    lines = ["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT", CHECKED]
    for line in "".join(re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)).splitlines():
        command, _, printed = line.partition("# prints ")
        if not printed:
            lines.append(line)
            continue
        expected = printed if printed.startswith("$") else "'" + printed + "'"
        quoted = command.strip().replace("'", "'\\''")
        lines.append(f"checked '{quoted}' {expected}")
    return "\n".join(lines)


@pytest.mark.timeout(300)  # a dozen programs start one after the other
@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl or jq is not installed")
def test_every_command_of_the_page_prints_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    name, text = re.findall(r"^```yaml\n# ([\w./]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
    (tmp_path / name).write_text(text)
    script = script_of(PAGE).replace("planloom ", f"{sys.executable} -P -m planloom ")
    script = re.sub(r"--max-time \d", "--max-time 8", script)  # a slow machine needs longer to say the same
    for stated in ("8000", "8001"):
        port = free_port()
        script = script.replace(f"localhost:{stated}", f"localhost:{port}").replace(
            f"--port {stated}", f"--port {port}"
        )
    said = tmp_path / "said"
    with said.open("wb") as file:
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, stdout=file, stderr=file, timeout=280)
    assert done.returncode == 0, said.read_text()
    assert said.read_text().count("urn:planloom:problem:") >= 3


async def test_the_program_of_the_page_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx
    from ports import on_port
    from support import WAIT_S

    (tmp_path / "flows").mkdir()
    name, text = re.findall(r"^```yaml\n# ([\w./]+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
    (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    program = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
    there: dict[str, object] = {}
    exec(program, there)
    async with on_port(there["app"]) as url, httpx.AsyncClient(base_url=url, timeout=WAIT_S) as http:  # type: ignore[arg-type]
        assert (await http.get("/v1/workflows")).json()["workflows"][0]["name"] == "letter"
