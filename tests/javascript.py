"""Checks the types of the pages' scripts, as their comments say them: `python tests/javascript.py`."""

import subprocess
import sys

from node_packages import ROOT, TYPESCRIPT, install, node


def main() -> int:
    """Fetch the compiler unless it is there, and return what it ends with."""
    command = [str(node()), str(TYPESCRIPT.path), "--project", str(ROOT / "jsconfig.json")]
    return install() or subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
