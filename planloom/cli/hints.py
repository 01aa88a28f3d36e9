"""What to do next with a run, as commands that can be pasted."""

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from planloom.cli.rows import base_of
from planloom.cli.words import one_line
from planloom.core.result import PendingApproval
from planloom.core.view import RunView

_SPENT = re.compile(r"budget (\w+): (?:cap )?([\d.e+-]+)")
"""How a run's error begins that a cap of its own stopped."""
_PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*@")


def command(*words: str, journal: str | None = None) -> str:
    """Return a command as the user would type it, with the program's name as it was called.

    Args:
        words: Verb and arguments.
        journal: What was given with `--journal`; it is repeated, a password in it is not.
    """
    where = ["--journal", shlex.quote(_PASSWORD.sub(r"\1***@", journal))] if journal is not None else []
    return " ".join([_program(), *words, *where])


def _program() -> str:
    called = Path(sys.argv[0])
    if called.name == "__main__.py" and called.parent.name == "planloom":
        python = "python" if _is(shutil.which("python"), Path(sys.executable)) else shlex.quote(sys.executable)
        return f"{python} -m planloom"
    if called.name == "planloom" and called.is_file() and not _is(shutil.which("planloom"), called):
        return shlex.quote(sys.argv[0])
    return "planloom"


def _is(found: str | None, file: Path) -> bool:
    return found is not None and Path(found).absolute() == file.absolute()


def hints(view: RunView, journal: str | None = None) -> list[str]:
    """Say how a run that is not done goes on; `resume` is left out where it could change nothing."""
    if view.status == "waiting":
        return [_waits(item) for item in view.pending.values()] + choices(view, journal)
    if view.status == "interrupted":
        return [f"its process is gone; go on with: {command('resume', view.run_id, journal=journal)}"]
    if view.status not in ("cancelled", "partial", "failed"):
        return []
    told = [f"what happened: {command('show', view.run_id, journal=journal)}"]
    if spent := _SPENT.match(view.error):
        cap = f"{spent[1]}={2 * float(spent[2]):g}"
        again = command("resume", view.run_id, "--budget", cap, journal=journal)
        return [*told, f"the budget is spent; raise its cap, and what is done is kept: {again}"]
    if _rejected(view):
        return told
    if view.status != "cancelled":
        mended = command("resume", view.run_id, "--workflow", "FILE", journal=journal)
        told.append(f"with a corrected file, keeping what is done: {mended}")
    return [*told, f"once more as it is, keeping what is done: {command('resume', view.run_id, journal=journal)}"]


def choices(view: RunView, journal: str | None = None) -> list[str]:
    """Return the commands that answer what waits in a run: all at once, but a write in doubt or a question alone."""
    plain: list[str] = []
    alone: list[str] = []
    for item in view.pending.values():
        name = str(item.node_id or "plan")
        if item.kind in ("effect", "question"):
            alone += _alone(view.run_id, name, item, journal)
        else:
            plain.append(name)
    if not plain:
        return alone
    no = [word for name in plain for word in ("--reject", name)]
    return [
        command("approve", view.run_id, *plain, journal=journal),
        command("approve", view.run_id, *no, journal=journal),
        *alone,
    ]


def _alone(run_id: str, name: str, item: PendingApproval, journal: str | None) -> Iterator[str]:
    again = command("approve", run_id, name, journal=journal)
    if item.kind == "question":
        yield f"answer {name}:            {again} --note 'ANSWER'"
    else:
        yield f"{name} did happen:        {again} --happened [--result JSON]"
        yield f"do {name} again:          {again}"
    yield f"give {name} up:           {command('approve', run_id, '--reject', name, journal=journal)}"


def _waits(item: PendingApproval) -> str:
    return f"waits for a human: {item.node_id or 'plan'}: {one_line(item.reason)}"


def _rejected(view: RunView) -> bool:
    """Tell whether nothing but a human's no keeps the run from going on."""
    no = {node_id for (node_id, _), answer in view.approvals.items() if not answer.approved}
    failed = {node_id for node_id, node in view.nodes.items() if node.state == "failed" and base_of(node_id) == node_id}
    return None in no or (bool(failed) and failed <= {base_of(node_id) for node_id in no if node_id})
