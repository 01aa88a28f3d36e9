"""Panels as `show` prints them: why each stopped, what stands on its board, what was left in contradiction."""

from collections.abc import Iterable, Iterator

from rich.text import Text

from planloom.cli.words import one_line, plural
from planloom.core.board import Board, Claim
from planloom.core.contradiction import Contradiction
from planloom.core.result import NodeRecord, PanelRecord


def panels(nodes: Iterable[NodeRecord]) -> list[Text]:
    """Return the lines; none where there was no panel."""
    lines = [line for node in nodes if node.panel is not None for line in _panel(node.id, node.panel)]
    return [Text(), Text("panels", "bold"), *lines] if lines else []


def _panel(name: str, panel: PanelRecord) -> Iterator[Text]:
    board = panel.board
    facts = [plural(board.round, "round"), plural(len(board.claims), "claim")]
    facts += [plural(len(board.rulings), "ruling")] if board.rulings else []
    stopped = panel.stopped or "not ended"
    yield Text.assemble("  ", name, f"  {stopped}: ", (", ".join(facts), "bright_black"))
    for claim in board.standing:
        yield Text(f"      {_claim(claim)}", "bright_black")
    for pair in panel.dissent:
        yield Text(f"      {_dissent(board, pair)}", "yellow")


def _claim(claim: Claim) -> str:
    with_ = f", with {', '.join(claim.endorsed_by)}" if claim.endorsed_by else ""
    return f"{claim.id} {claim.author}{with_}: {one_line(claim.statement, 300)}"


def _dissent(board: Board, pair: Contradiction) -> str:
    author = {claim.id: claim.author for claim in board.claims}
    one, other = pair.claims
    who = f"{one} {author.get(one, '')} against {other} {author.get(other, '')}"
    return f"dissent: {who}: {one_line(pair.subject)}: {one_line(pair.reason, 300)}"
