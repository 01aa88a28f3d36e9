"""The site builds strictly: each page is in the navigation, each link and anchor leads somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(300)  # reads every module for the API reference


def build(config: Path, to: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(config), "--site-dir", str(to)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=280, check=False)


def test_the_site_builds_with_every_page_and_the_api(tmp_path: Path) -> None:
    built = build(ROOT / "mkdocs.yml", tmp_path)
    assert built.returncode == 0, built.stderr
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    front = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert pages - set(re.findall(r'href="(\w[\w-]*)\.html', front)) <= {"index"}
    api = (tmp_path / "api.html").read_text(encoding="utf-8")
    assert 'id="planloom.engine.Engine.submit"' in api


def test_a_page_outside_the_navigation_and_a_dead_anchor_fail_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Front\n\n[there](other.md#nowhere)\n")
    (tmp_path / "docs" / "other.md").write_text("# Other\n")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    rules = re.search(r"^validation:\n(  .*\n)+", settings, re.MULTILINE)
    assert rules is not None
    assert re.search("^strict: true$", settings, re.MULTILINE)
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\nstrict: true\n{rules[0]}nav: [index.md]\n")
    built = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert built.returncode == 1
    assert "other.md" in built.stderr
    assert "nowhere" in built.stderr
