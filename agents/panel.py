"""The voices of a panel: members who write claims, and a moderator who merges them. Each has its own dialogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from planloom.agents.brief import Brief
from planloom.agents.claims import FORM, MERGE_FORM, claims_schema, merge_schema, read_contribution, read_merge
from planloom.agents.dialogue import Dialogue, Tools
from planloom.agents.prompting import block, prompt, section
from planloom.core.board import Board, Contribution, Merge
from planloom.core.contradiction import Contradiction
from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.outcome import Failed, FailureKind
from planloom.core.panel import Member, Panel
from planloom.models.base import ChatModel, Message, Request, ToolOffer

SpokenT = TypeVar("SpokenT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One version of the board as everybody sees it in a round."""

    board: Board
    open: tuple[Contradiction, ...]
    """Contradictions between the claims that stand."""
    round: int
    rounds: int


class Allowance:
    """Model calls that an attempt of a panel has left, over all its voices."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def take(self, *, keep: int = 0) -> bool:
        """Take one, if `keep` are left after it."""
        if self.left <= keep:
            return False
        self.left -= 1
        return True


class _Heard:
    """A member's tools; those that have answered are sources it may name."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.names: set[str] = set()

    @property
    def offers(self) -> tuple[ToolOffer, ...]:
        return self._tools.offers

    async def call(self, name: str, args: JsonObject) -> Json:
        value = await self._tools.call(name, args)
        self.names |= {name, name.replace("__", ".")}
        return value


class _NoTools:
    """A moderator reads the board; it calls nothing."""

    offers: tuple[ToolOffer, ...] = ()

    async def call(self, name: str, args: JsonObject) -> Json:
        raise ToolError(name, "a moderator has no tools")


class MemberVoice:
    """One member, over all rounds of an attempt."""

    def __init__(self, brief: Brief, member: Member, tools: Tools, *, repairs: int) -> None:
        self.member = member
        self._heard = _Heard(tools)
        self._inputs = frozenset(brief.inputs)
        given = brief.asked + brief.known
        role = section("Your role", f"You are {member.name}. {member.role}\n{member.instructions}")
        opening = Request(
            messages=(
                Message(role="system", text=prompt("member")),
                Message(role="user", text=role + given + section("Form of your reply", FORM).strip()),
            ),
            role="member",
            node_id=brief.node_id,
            attempt=brief.attempt,
            member=member.name,
            schema=claims_schema(),
            schema_name="claims",
        )
        self._dialogue: Dialogue[Contribution] = Dialogue(opening, self._heard, self._read, repairs=repairs)

    def _read(self, text: str) -> Contribution | Failed:
        return read_contribution(text, self.member.name, self._inputs | self._heard.names)

    async def write(self, seen: Snapshot, model: ChatModel, calls: Allowance) -> Contribution | Failed:
        """Have the member write its claims on a version of the board; it is silent when no calls are left.

        Raises:
            ModelError: The model gave no usable reply.
            BudgetExceeded: The next call does not fit the budget.
        """
        self._dialogue.say(_shown(seen), round=seen.round)
        written = await _spoken(self._dialogue, model, calls, keep=1)
        return Contribution(author=self.member.name) if written is None else written


class ModeratorVoice:
    """The moderator, over all rounds of an attempt."""

    def __init__(self, brief: Brief, panel: Panel, *, repairs: int) -> None:
        self._schema = brief.schema
        self._final = False
        wanted = block(brief.schema) if brief.schema is not None else "plain text"
        form = f"{MERGE_FORM}\nThe result is: {wanted}"
        members = "\n".join(f"- {member.name}: {member.role}" for member in panel.members)
        opening = Request(
            messages=(
                Message(role="system", text=prompt("moderator")),
                Message(
                    role="user",
                    text=brief.asked
                    + brief.known
                    + section("Members", members)
                    + section("House rules", panel.instructions)
                    + section("Form of your reply", form).strip(),
                ),
            ),
            role="moderator",
            node_id=brief.node_id,
            attempt=brief.attempt,
            schema=merge_schema(brief.schema),
            schema_name="merge",
        )
        self._dialogue: Dialogue[Merge] = Dialogue(opening, _NoTools(), self._read, repairs=repairs)

    def _read(self, text: str) -> Merge | Failed:
        return read_merge(text, self._schema, final=self._final)

    async def merge(self, seen: Snapshot, model: ChatModel, calls: Allowance, *, final: bool) -> Merge | Failed:
        """Have a version of the board merged.

        Args:
            seen: The board.
            model: Who moderates.
            calls: What the attempt has left.
            final: No round will follow, so there must be a result.

        Raises:
            ModelError: The model gave no usable reply.
            BudgetExceeded: The next call does not fit the budget.
        """
        self._final = final
        last = "\n\nThis is the last round: give the final result." if final else ""
        self._dialogue.say(_shown(seen) + last, round=seen.round)
        merged = await _spoken(self._dialogue, model, calls, keep=0)
        if merged is None:
            return Failed(kind=FailureKind.CHECK, message="the moderator has no model calls left")
        return merged


async def _spoken(
    dialogue: Dialogue[SpokenT], model: ChatModel, calls: Allowance, *, keep: int
) -> SpokenT | Failed | None:
    """Carry a dialogue to its next result; `None` when the calls are used up before it comes."""
    while calls.take(keep=keep):
        said = await dialogue.step(model)
        if said is not None:
            return said
    return None


def _shown(seen: Snapshot) -> str:
    """Return a version of the board as a message."""
    board, merge = seen.board, seen.board.merge
    head = f"Board, version {board.version}; round {seen.round} of at most {seen.rounds}"
    claims: Json = [claim.as_json() for claim in board.standing]
    text = section(head, block(claims) if board.standing else "Nothing stands on it yet.")
    text += section("Contradictions between these claims", _pairs(board, seen.open))
    if merge is not None and merge.result is not None:
        text += section("The result so far", block(merge.result))
    if merge is not None and merge.question:
        text += section("The moderator asks", merge.question)
    return text.strip()


def _pairs(board: Board, found: Sequence[Contradiction]) -> str:
    by_id = {claim.id: claim for claim in board.claims}
    pairs: list[Json] = [
        {**pair.as_json(), "said": [f"{by_id[i].author}: {by_id[i].statement}" for i in pair.claims]} for pair in found
    ]
    return block(pairs) if pairs else ""
