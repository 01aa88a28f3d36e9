"""Where one node's work stands between attempts; rebuilt from the journal on resume."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from planloom.core import events as ev
from planloom.core.check import Agree
from planloom.core.decision import Ask, Decision, Promote, Replan, Retry, Stop, Vote
from planloom.core.node_view import AttemptView
from planloom.core.outcome import Failed, Outcome
from planloom.core.plan import Effort, Node
from planloom.core.result import DecisionRecord
from planloom.graphs.context import Run
from planloom.graphs.experience import Experience


@dataclass(slots=True, kw_only=True)
class Progress:
    """Rung, counts and the last failure of one node's work."""

    rungs: tuple[str, ...]
    """The ladder this node climbs; empty for nodes that ask no model."""
    agree: Agree | None
    """Samples that the next attempt takes; `None` for one answer."""
    standing: Agree | None = None
    """What the node itself asks for; a vote holds for one rung only."""
    effort: Effort = "medium"
    """How hard the work is, as the node says or past runs know."""
    rung: int = 0
    attempt: int = 0
    promoted: bool = False
    failures_on_rung: int = 0
    voted: bool = False
    last: Failed | None = None
    known: Mapping[int, Outcome] = field(default_factory=dict[int, Outcome])
    """Samples of a vote that a process which stopped in its middle had drawn."""
    decision: Decision | None = None
    """Decided but not yet carried out."""
    undecided: bool = False
    """The last attempt failed, and its process stopped before the router had spoken."""

    @property
    def rung_name(self) -> str:
        """Name of the rung; empty for nodes that ask no model."""
        return self.rungs[self.rung] if self.rungs else ""

    def carry_out(self, decision: Retry | Vote | Promote) -> None:
        """Take the step that leads to the next attempt."""
        match decision:
            case Retry():
                pass
            case Vote(agree=agree):
                self.voted, self.agree = True, agree.on_one_rung() if self.promoted else agree
            case Promote(rung=rung):
                self.rung = self.rungs.index(rung)
                self.failures_on_rung, self.voted = 0, False
                self.climbed()
        self.decision = None

    def climbed(self) -> None:
        """Leave the first rung: what other models are asked beside it is over."""
        self.promoted = True
        self.agree = self.standing.on_one_rung() if self.standing else None

    def failed(self, failed: Failed) -> None:
        """Count a failed attempt."""
        self.last, self.known = failed, {}
        self.failures_on_rung += 1


def ladder_of(node: Node, ladder: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Return the rungs a node may climb and where it starts."""
    if node.kind not in ("worker", "panel"):
        return (), 0
    if node.model is None:
        return ladder, min(1, len(ladder) - 1) if node.effort == "high" else 0
    return (ladder, ladder.index(node.model)) if node.model in ladder else ((node.model,), 0)


def take_up(node: Node, input_digest: str, run: Run) -> Progress:
    """Return where the work stands: at the start, or where an earlier process left it."""
    effort = _effort(node, run)
    rungs, start = ladder_of(replace(node, effort=effort), run.spec.rungs)
    lane = run.lane_of(node.id)
    if lane is not None:
        rungs, start = (lane, *(rung for rung in rungs[start:] if rung != lane)), 0
    progress = Progress(rungs=rungs, agree=node.agree, standing=node.agree, rung=start, effort=effort)
    past = run.view.nodes.get(node.id)
    attempts = past.attempts if past else []
    progress.attempt = len(attempts)
    ever = [a for a in attempts if a.input_digest == input_digest]
    same = [a for a in ever if a.started_at >= run.view.reopened_at]
    if not same and run.experience is not None and rungs and lane is None:
        _start_by_experience(progress, node, run, run.experience)
    if same:
        _take_up_rung(progress, node, run, same)
    if ever and _may_have_written(node, run, ever[-1]):
        progress.last, progress.undecided = ever[-1].failed, False
        progress.decision = _open_decision(node, run, ever[-1].attempt, effort) or Ask(
            reason="its process stopped in the middle: the write may have happened already"
        )
    return progress


def _effort(node: Node, run: Run) -> Effort:
    if run.experience is None or not run.spec.rungs:
        return node.effort
    return run.experience.effort(node, run.spec.rungs[0], run.log.run_id)


def _start_by_experience(progress: Progress, node: Node, run: Run, experience: Experience) -> None:
    """Start where past runs say, and write down what they say."""
    chosen = experience.start(node, progress.rungs, progress.rung, run.log.run_id)
    if chosen is not None:
        progress.rung = chosen.rung
        rung = progress.rungs[chosen.rung]
        run.log.note(ev.Decided(node_id=node.id, attempt=0, action="start", reason=chosen.reason, rung=rung))


def _take_up_rung(progress: Progress, node: Node, run: Run, same: list[AttemptView]) -> None:
    """Go on after the last of the attempts at the same work."""
    final = same[-1]
    real = [a.failed for a in same if a.failed and not a.cut_off]
    progress.rung = progress.rungs.index(final.rung) if final.rung in progress.rungs else 0
    if final.rung != same[0].rung:
        progress.climbed()
    progress.failures_on_rung = sum(a.failed in real and a.rung == final.rung for a in same)
    progress.last = real[-1] if real else None
    _take_up_vote(progress, node, run, {a.attempt for a in same if a.rung == final.rung and a is not final})
    for attempt in reversed(same):
        if not attempt.cut_off or attempt.rung != final.rung:
            break
        progress.known = {**attempt.samples, **progress.known}
    if final.failed and not final.cut_off:
        decision = _open_decision(node, run, final.attempt, progress.effort)
        if isinstance(decision, Promote) and decision.rung not in progress.rungs:
            decision = None  # a corrected workflow has other rungs
        progress.decision, progress.undecided = decision, decision is None


def _may_have_written(node: Node, run: Run, final: AttemptView) -> bool:
    """Whether another attempt could write a second time; one that ended well left a result that nobody kept."""
    unseen = run.writes_unseen(node) and (final.cut_off or final.failed is None)
    return unseen or run.in_doubt(node, final.attempt)


def _take_up_vote(progress: Progress, node: Node, run: Run, attempts: set[int]) -> None:
    """Go on with a vote that was under way on this rung: decided after one of `attempts`, and begun."""
    vote = _vote(progress.effort, run)
    made = (d.attempt for d in run.view.decisions if d.node_id == node.id and d.action == "vote")
    if vote is not None and attempts.intersection(made):
        progress.carry_out(Vote(agree=vote, reason=""))


def _vote(effort: Effort, run: Run) -> Agree | None:
    """Return the vote that the workflow allows for work so hard."""
    vote = run.spec.route.vote
    return vote.to_agree(effort) if vote is not None else None


def _open_decision(node: Node, run: Run, attempt: int, effort: Effort) -> Decision | None:
    """Return what was decided after the last attempt and not carried out yet."""
    made = (each for each in reversed(run.view.decisions) if each.node_id == node.id and each.attempt == attempt)
    return next((decision for each in made if (decision := _decision(each, _vote(effort, run))) is not None), None)


def _decision(made: DecisionRecord, vote: Agree | None) -> Decision | None:
    match made.action:
        case "start" | "keep":
            return None
        case "vote" if vote is not None:
            return Vote(agree=vote, reason=made.reason)
        case "retry" | "vote":
            return Retry(reason=made.reason)
        case "promote":
            return Promote(rung=made.rung, reason=made.reason)
        case "replan":
            return Replan(reason=made.reason)
        case "ask":
            return Ask(reason=made.reason)
        case "stop":
            return Stop(reason=made.reason)
