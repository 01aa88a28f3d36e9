"""The package as it is built and imported."""

import ast
import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

import planloom

ROOT = Path(__file__).parent.parent
FOLDERS = ["agents", "configs", "core", "graphs", "models", "quality", "state", "tools", "planloom"]


def sources() -> list[Path]:
    return [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if not path.is_symlink()]


def test_every_folder_with_an_init_is_in_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {"planloom"} | {f"planloom.{path.parent.name}" for path in (ROOT / "planloom").glob("*/__init__.py")}
    assert set(listed) == found


def test_all_public_names_are_there_and_no_others() -> None:
    assert all(hasattr(planloom, name) for name in planloom.__all__)
    assert len(planloom.__all__) <= 14


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import planloom, sys; sys.exit(bool({'pydantic', 'langgraph', 'openai', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0


def test_no_file_is_over_400_lines_and_no_function_over_50() -> None:
    for path in sources():
        text = path.read_text()
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 50, f"{path}: {node.name}"


def test_every_file_of_the_pages_is_in_the_wheel_and_what_is_not_ours_is_what_was_fetched() -> None:
    package = ROOT / "planloom/service"
    globs = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {path for glob in globs["planloom.service"] for path in package.glob(glob) if path.is_file()}
    assert packed == {path for path in (package / "ui").rglob("*") if path.is_file()}
    vendor = package / "ui/vendor"
    sums = dict(reversed(line.split()) for line in (vendor / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: hashlib.sha256((vendor / name).read_bytes()).hexdigest() for name in sums}
    assert {path.name for path in vendor.glob("*.js")} <= set(sums)


def test_no_script_of_the_pages_is_over_300_lines() -> None:
    for path in (ROOT / "planloom/service/ui/js").glob("*.js"):
        assert path.read_text().count("\n") <= 300, path
