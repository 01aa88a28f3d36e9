"""Checks the types of the pages' scripts, as their comments say them: `python tests/javascript.py`."""

import subprocess
import sys

from mcp_servers import ROOT, install, node

COMPILER = ROOT / ".venv/typescript/node_modules/typescript/bin/tsc"


def main() -> int:
    """Fetch the compiler unless it is there, and return what it ends with."""
    failed = install("typescript@5.9.3", COMPILER)
    return failed or subprocess.run([str(node()), str(COMPILER), "--project", str(ROOT / "jsconfig.json")]).returncode


if __name__ == "__main__":
    sys.exit(main())
