"""One attempt of a panel: rounds over a board of its own, until it agrees, brings nothing new or reaches a cap.

The board belongs to the attempt. Members of one round read the same version and answer at once; what they write makes
the next version, and the moderator's word the one after. Every version is in the journal before the next is begun, so
an attempt that a crash cut off is followed by one that goes on from the last of them.
"""

import asyncio
from collections.abc import Callable

from planloom.agents.brief import Brief
from planloom.agents.panel import Allowance, MemberVoice, ModeratorVoice, Snapshot
from planloom.core import events as ev
from planloom.core.board import Board, Contribution, StopReason, moderate, write
from planloom.core.contradiction import Contradiction, contradictions
from planloom.core.errors import BudgetExceeded, ModelError, ToolError
from planloom.core.outcome import Done, Evidence, Failed, FailureKind, Outcome
from planloom.core.panel import Panel
from planloom.core.plan import Node
from planloom.core.result import PanelRecord
from planloom.graphs.context import Run
from planloom.graphs.gate import FlowHeldError
from planloom.graphs.handles import Handled
from planloom.graphs.progress import ladder_of
from planloom.models.base import ChatModel


class _BrokenOffError(Exception):
    """A voice failed, and the attempt with it."""

    def __init__(self, who: str, failed: Failed) -> None:
        self.failed = Failed(
            kind=failed.kind,
            message=f"{who}: {failed.message}",
            evidence=failed.evidence,
            output=failed.output,
            code=failed.code,
        )
        super().__init__(self.failed.message)


class Session:
    """Holds one attempt of a panel.

    Args:
        run: The run.
        node: The node, or the element of a map.
        panel: Its panel.
        brief: What all voices are given.
        rung: Rung of the attempt.
        model: Opens a rung by name, paid from the node's account.
        tools: Makes the tools of one member.
    """

    def __init__(
        self,
        run: Run,
        node: Node,
        panel: Panel,
        brief: Brief,
        *,
        rung: str,
        model: Callable[[str], ChatModel],
        tools: Callable[[], Handled],
    ) -> None:
        self._run, self._node, self._panel, self._brief = run, node, panel, brief
        self._rung, self._model = rung, model
        repairs = run.spec.route.repair
        self._members = [MemberVoice(brief, member, tools(), repairs=repairs) for member in panel.members]
        self._moderator = ModeratorVoice(brief, panel, repairs=repairs)
        self._calls = Allowance(node.max_calls)
        self._past = _cut_off(run, node, brief.attempt)
        self._board = self._past.board if self._past is not None else Board()
        self._shown: set[frozenset[str]] = set()
        """Contradictions that a whole round has already had before it."""

    async def hold(self) -> Outcome:
        """Hold rounds until one of the panel's ends is reached.

        Raises:
            ModelError: A model gave no usable reply.
            BudgetExceeded: The next call does not fit the budget, and there is no result yet.
            FlowHeldError: A human must approve a member's call first.
            JournalError: The board could not be written down.
        """
        try:
            stopped = await self._rounds()
        except _BrokenOffError as exc:
            return exc.failed
        except BudgetExceeded:
            if self._board.result is None:
                raise
            stopped = "budget"
        return self._close(stopped)

    async def _rounds(self) -> StopReason:
        stopped = self._taken_up()
        while stopped is None:
            stopped = await self._round()
        return stopped

    def _taken_up(self) -> StopReason | None:
        """Return where the attempt that was cut off had already stopped."""
        if self._past is None:
            return None
        if self._past.stopped is not None or self._board.merged_round < self._board.round:
            return self._past.stopped
        return self._ended(news=True, left_open=self._open())

    async def _round(self) -> StopReason | None:
        """Have the members write, then the moderator merge; tell why that was the last round."""
        news = True
        if self._board.merged_round == self._board.round:  # else its members have written before the crash
            news = await self._members_write()
        found = self._open()
        if found and self._panel.on_contradiction == "escalate":
            return "contradiction"
        await self._moderator_merges(found, final=not news or self._is_last)
        return self._ended(news=news, left_open=self._open())

    @property
    def _is_last(self) -> bool:
        """Whether the caps leave room for the moderator's word and no further round."""
        return self._board.round >= self._panel.rounds or self._calls.left - 1 < self._panel.calls_a_round

    async def _members_write(self) -> bool:
        """Have all members write on one version of the board, at once; tell whether that brought anything new."""
        before = self._board
        seen = self._snapshot(before.round + 1, self._open())
        self._shown |= {frozenset(pair.claims) for pair in seen.open}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._written(voice, seen)) for voice in self._members]
        self._board = write(before, [_contribution(task.result()) for task in tasks])
        await self._advance()
        return self._board.news != before.news

    async def _written(
        self, voice: MemberVoice, seen: Snapshot
    ) -> Contribution | _BrokenOffError | ModelError | BudgetExceeded | FlowHeldError | ToolError:
        """Return what a member writes, or what kept it from that: the others still finish their sentences."""
        try:
            said = await voice.write(seen, self._model(self._rung_of(voice.member.model)), self._calls)
        except (ModelError, BudgetExceeded, FlowHeldError, ToolError) as exc:
            return exc
        return _BrokenOffError(voice.member.name, said) if isinstance(said, Failed) else said

    async def _moderator_merges(self, found: tuple[Contradiction, ...], *, final: bool) -> None:
        seen = self._snapshot(self._board.round, found)
        model = self._model(self._rung_of(self._panel.moderator))
        merged = await self._moderator.merge(seen, model, self._calls, final=final)
        if isinstance(merged, Failed):
            raise _BrokenOffError("moderator", merged)
        self._board = moderate(self._board, merged)
        await self._advance()

    def _snapshot(self, number: int, found: tuple[Contradiction, ...]) -> Snapshot:
        return Snapshot(board=self._board, open=found, round=number, rounds=self._panel.rounds)

    def _open(self) -> tuple[Contradiction, ...]:
        return contradictions(self._board, tolerance=self._panel.tolerance)

    async def _advance(self) -> None:
        """Write the board's new version down; a crash costs what was said after it and no more."""
        await self._run.log.commit(
            ev.BoardAdvanced(
                node_id=self._node.id, attempt=self._brief.attempt, board=self._board, contradictions=self._open()
            )
        )

    def _ended(self, *, news: bool, left_open: tuple[Contradiction, ...]) -> StopReason | None:
        """Say why there is no further round; `None` when there is one."""
        board, merge = self._board, self._board.merge
        decided = merge is not None and merge.result is not None and (merge.decided or self._unanimous)
        tried = self._panel.on_contradiction == "dissent" or self._shown.issuperset(
            frozenset(pair.claims) for pair in left_open
        )
        if decided and (not left_open or tried):
            return "dissent" if left_open else "agreement"
        if not news:
            return "no_news"
        if board.round >= self._panel.rounds:
            return "rounds"
        return "calls" if self._calls.left < self._panel.calls_a_round else None

    @property
    def _unanimous(self) -> bool:
        return self._board.unanimous(member.name for member in self._panel.members)

    def _close(self, stopped: StopReason) -> Outcome:
        left_open, board = self._open(), self._board
        self._run.log.note(
            ev.PanelStopped(
                node_id=self._node.id,
                attempt=self._brief.attempt,
                reason=stopped,
                rounds=board.round,
                dissent=left_open,
            )
        )
        if stopped == "contradiction":
            return _escalated(board, left_open)
        if board.result is None:
            return Failed(kind=FailureKind.CHECK, message=f"the panel stopped ({stopped}) without a result")
        facts = (
            f"{stopped} after {board.round} rounds, {len(board.claims)} claims, {len(left_open)} contradictions open"
        )
        return Done(output=board.result, evidence=(Evidence(check="panel", passed=True, found=facts),))

    def _rung_of(self, own: str | None) -> str:
        """Return the rung that speaks for a voice: its own, or one higher when the attempt was promoted past it."""
        climb, start = ladder_of(self._node, self._run.spec.rungs)
        now = climb.index(self._rung) if self._rung in climb else start
        if own is None or (now > start and own in climb and climb.index(own) < now):
            return self._rung
        return own


def _cut_off(run: Run, node: Node, attempt: int) -> PanelRecord | None:
    """Return what the attempt before had on its board, if a crash or a spent budget cut it off in the same work."""
    view = run.view.nodes.get(node.id)
    if view is None or view.panel is None or view.panel.attempt != attempt - 1 or len(view.attempts) < 2:
        return None
    before, now = view.attempts[-2:]
    spent = before.failed is not None and before.failed.kind is FailureKind.BUDGET
    return view.panel if (before.cut_off or spent) and before.input_digest == now.input_digest else None


def _contribution(
    said: Contribution | _BrokenOffError | ModelError | BudgetExceeded | FlowHeldError | ToolError,
) -> Contribution:
    if isinstance(said, Contribution):
        return said
    raise said


def _escalated(board: Board, found: tuple[Contradiction, ...]) -> Failed:
    """Return a contradiction as the failure that the router decides about, with both claims as evidence."""
    by_id = {claim.id: claim for claim in board.claims}
    evidence = tuple(
        Evidence(
            check="contradiction",
            passed=False,
            expected=f"claims about {pair.subject!r} that can all hold",
            found="; ".join(f"{by_id[i].author}: {by_id[i].statement}" for i in pair.claims),
            where=f"{' and '.join(pair.claims)}: {pair.reason}",
        )
        for pair in found
    )
    message = f"{len(found)} contradictions: {found[0].subject}: {found[0].reason}" if found else "contradiction"
    return Failed(kind=FailureKind.DISAGREE, message=message, evidence=evidence, output=board.result)
