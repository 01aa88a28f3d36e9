"""A panel's board: claims that only grow in number, and what the moderator made of them. Frozen, and versioned.

Every change returns the next version; nobody ever writes to a board that somebody else reads.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NewType, TypeAlias

from planloom.core.json import Json, JsonObject, canonical
from planloom.core.statement import read_subject

ClaimId = NewType("ClaimId", str)

StopReason: TypeAlias = Literal["agreement", "dissent", "no_news", "contradiction", "rounds", "calls", "budget"]
"""Why a panel stopped: it agrees, the moderator is decided and records the rest, nothing new came, a contradiction
was escalated, or a cap was reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that a member says, as it was written; it is never changed, only left behind by another."""

    id: ClaimId
    author: str
    round: int
    subject: str
    """What it is about, in a few words: claims are compared with others about the same."""
    statement: str
    value: Json = None
    """What it says of the subject as data: a number, a truth value, a date, a term."""
    confidence: float | None = None
    """From 0 to 1, as the author sees it."""
    sources: tuple[str, ...] = ()
    """Where it comes from: names of inputs, tools that the author has called, ids of claims."""
    supersedes: ClaimId | None = None
    """A claim of the same author that this one takes the place of."""
    endorsed_by: tuple[str, ...] = ()
    """Members who said the same, or that they agree."""

    def says(self) -> tuple[str, str, str]:
        """Return what makes two claims the same, whoever wrote them."""
        statement = " ".join(self.statement.casefold().split()).rstrip(".!")
        return " ".join(read_subject(self.subject)), statement, canonical(self.value)

    def as_json(self) -> JsonObject:
        """Shape shown to models; what is empty is left out."""
        shown: JsonObject = {
            "id": self.id,
            "author": self.author,
            "round": self.round,
            "subject": self.subject,
            "statement": self.statement,
            "value": self.value,
            "confidence": self.confidence,
            "sources": [*self.sources],
            "endorsed_by": [*self.endorsed_by],
        }
        return {key: value for key, value in shown.items() if value not in (None, [])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A claim as its author gives it, before it has an id."""

    subject: str
    statement: str
    value: Json = None
    confidence: float | None = None
    sources: tuple[str, ...] = ()
    supersedes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one member writes in one round."""

    author: str
    claims: tuple[Draft, ...] = ()
    endorses: tuple[str, ...] = ()
    """Ids of claims it agrees with."""
    withdraws: tuple[str, ...] = ()
    """Ids of its own claims that it no longer makes."""
    known: frozenset[str] = frozenset()
    """Sources it really had, besides claims: inputs, and tools that answered it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The moderator's word on two claims that contradict each other."""

    claims: tuple[ClaimId, ClaimId]
    keep: str
    """Id of the claim that stands, or `both` where they do not really contradict."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What the moderator makes of a board."""

    result: Json
    """The node's output so far; `None` when there is none yet."""
    decided: bool = False
    rulings: tuple[Ruling, ...] = ()
    question: str = ""
    """What the members are to look at in the next round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One version of a board."""

    version: int = 0
    round: int = 0
    """Rounds in which members have written."""
    claims: tuple[Claim, ...] = ()
    withdrawn: tuple[ClaimId, ...] = ()
    """Claims that their authors have superseded or taken back."""
    rulings: tuple[Ruling, ...] = ()
    merge: Merge | None = None
    """The moderator's last word."""
    merged_round: int = 0
    """The round that it was about."""

    @property
    def standing(self) -> tuple[Claim, ...]:
        """The claims that hold: neither withdrawn by their author nor overruled by the moderator."""
        gone = {other for ruling in self.rulings for other in ruling.claims if ruling.keep not in ("both", other)}
        return tuple(claim for claim in self.claims if claim.id not in gone and claim.id not in self.withdrawn)

    @property
    def result(self) -> Json:
        """The node's output as the moderator last had it; `None` when there is none."""
        return self.merge.result if self.merge is not None else None

    def unanimous(self, members: Iterable[str]) -> bool:
        """Whether there are claims, and every member made or endorsed each that stands."""
        everybody = frozenset(members)
        return bool(self.standing) and all(everybody <= {claim.author, *claim.endorsed_by} for claim in self.standing)

    @property
    def news(self) -> frozenset[tuple[str, str, str]]:
        """What is said on the board, for telling whether a round added to it."""
        return frozenset(claim.says() for claim in self.claims)


def write(board: Board, contributions: Sequence[Contribution]) -> Board:
    """Return the next version, with one round's contributions taken in, in the order given.

    Who says what stands already endorses it. A member may supersede or withdraw its own claims and no others; sources
    that it never had are left out.
    """
    round_ = board.round + 1
    claims, withdrawn = _endorsed(board.claims, contributions), set(board.withdrawn)
    authors = {claim.id: claim.author for claim in board.claims}
    for given in contributions:
        known = given.known | authors.keys()
        wanted = [*given.withdraws, *(draft.supersedes for draft in given.claims if draft.supersedes)]
        withdrawn |= {claim_id for claim_id, author in authors.items() if author == given.author and claim_id in wanted}
        for draft in given.claims:
            fresh = _claim(ClaimId(f"c{len(claims) + 1}"), given.author, round_, draft, known)
            if fresh.supersedes is not None and authors.get(fresh.supersedes) != fresh.author:
                fresh = replace(fresh, supersedes=None)
            claims = _added(claims, fresh, set(board.withdrawn))
    gone = tuple(claim_id for claim_id in authors if claim_id in withdrawn)
    return replace(board, version=board.version + 1, round=round_, claims=tuple(claims), withdrawn=gone)


def _claim(claim_id: ClaimId, author: str, round_: int, draft: Draft, known: Collection[str]) -> Claim:
    return Claim(
        id=claim_id,
        author=author,
        round=round_,
        subject=draft.subject,
        statement=draft.statement,
        value=draft.value,
        confidence=draft.confidence,
        sources=tuple(dict.fromkeys(source for source in draft.sources if source in known)),
        supersedes=ClaimId(draft.supersedes) if draft.supersedes else None,
    )


def _endorsed(claims: Iterable[Claim], contributions: Sequence[Contribution]) -> list[Claim]:
    return [
        _with_endorsement(claim, *(given.author for given in contributions if claim.id in given.endorses))
        for claim in claims
    ]


def _with_endorsement(claim: Claim, *authors: str) -> Claim:
    more = [name for name in dict.fromkeys(authors) if name != claim.author and name not in claim.endorsed_by]
    return replace(claim, endorsed_by=(*claim.endorsed_by, *more)) if more else claim


def _added(claims: list[Claim], fresh: Claim, withdrawn: Collection[ClaimId]) -> list[Claim]:
    """Add a claim, or its author's name to the one that says the same: overruled ones do not come back that way."""
    for index, old in enumerate(claims):
        if old.says() == fresh.says() and old.id not in withdrawn:
            return [*claims[:index], _with_endorsement(old, fresh.author), *claims[index + 1 :]]
    return [*claims, fresh]


def moderate(board: Board, merge: Merge) -> Board:
    """Return the next version, with the moderator's word taken in; rulings on what does not stand are left out."""
    standing = {claim.id for claim in board.standing}
    rulings = tuple(
        ruling
        for ruling in merge.rulings
        if standing.issuperset(ruling.claims) and ruling.keep in ("both", *ruling.claims)
    )
    merge = replace(merge, rulings=rulings)
    return replace(
        board,
        version=board.version + 1,
        rulings=(*board.rulings, *rulings),
        merge=merge,
        merged_round=board.round,
    )
