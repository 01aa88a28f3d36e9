"""A policy sends up an answer that passed its checks but looks wrong, while a stronger rung is left."""

from dataclasses import replace
from pathlib import Path

import pytest

from planloom import ConfigError, Engine, Workflow
from planloom.configs.policy import policy_text
from planloom.core import events as ev
from planloom.core.plan import NodeId, RunId
from planloom.core.view import RunView
from planloom.quality.policy import Group, Policy
from planloom.quality.signal import Signal
from planloom.state.journal import Journal
from planloom.state.log import RunLog

WORKFLOW = """
version: 1
name: pens
models: {{mini: {{model: "rehearsal:mini", script: s.yaml}}, big: {{model: "rehearsal:big", script: s.yaml}}}}
ladder: [mini, big]
route: {{policy: policy.yaml, promote: {promote}}}
nodes:
  count: {{goal: "How many pens are 12 boxes of 30?", checks: [{{expr: "'pens' in output"}}]}}
output: "${{nodes.count.output}}"
"""
SCRIPT = """
rehearsal: 1
rules:
  - {{when: {{model: mini}}, text: "{mini}"}}
  - {{when: {{model: big}}, text: "12 * 30 = 365 pens"}}
"""
PRICED = WORKFLOW.replace("script: s.yaml}}, big", "script: s.yaml, price: {{input: 1, output: 1}}}}, big").replace(
    "script: s.yaml}}}}", "script: s.yaml, price: {{input: 4, output: 4}}}}}}"
)
SIGNAL = Signal(auc=0.8, low=0.7, high=0.9, right=20, wrong=20)
RIGHT, WRONG = "12 * 30 = 360 pens. #### 360", "12 * 30 = 370 pens. #### 370"


def project(folder: Path, *, mini: str, model: str = "mini", promote: str = "true", signal: bool = True) -> Workflow:
    group = Group(kind="count", model=model, threshold=0.5, signal=SIGNAL if signal else None)
    policy = Policy(created="2026-01-01", groups=(group,))
    (folder / "policy.yaml").write_text(policy_text(policy))
    (folder / "s.yaml").write_text(SCRIPT.format(mini=mini))
    (folder / "w.yaml").write_text(WORKFLOW.format(promote=promote))
    return Workflow.from_yaml(folder / "w.yaml")


async def test_a_doubted_answer_goes_up_with_the_evidence_and_the_last_rung_is_believed(tmp_path: Path) -> None:
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(project(tmp_path, mini=WRONG))
    assert (result.status, result.output) == ("done", "12 * 30 = 365 pens")
    first, second = result.nodes["count"].attempts
    assert (first.failure, first.rung, second.rung) == ("doubt", "mini", "big")
    assert [evidence.check for evidence in first.evidence] == ["expr: 'pens' in output", "policy"]
    assert "chance of being right" in first.evidence[1].found
    assert [decision.action for decision in result.decisions] == ["promote"]


@pytest.mark.parametrize(("mini", "promote"), [(RIGHT, "true"), (WRONG, "false")])
async def test_an_answer_is_kept_that_looks_right_or_that_cannot_go_up_and_its_chance_is_told(
    mini: str, promote: str, tmp_path: Path
) -> None:
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(project(tmp_path, mini=mini, promote=promote))
    assert (result.status, result.output, len(result.nodes["count"].attempts)) == ("done", mini, 1)
    (weighed,) = [item for item in result.nodes["count"].attempts[0].evidence if item.check == "policy"]
    assert weighed.passed == (mini == RIGHT)
    assert weighed.found.endswith("going up is worth +0.27") == (mini == RIGHT)


@pytest.mark.parametrize(
    ("model", "signal", "reason"),
    [
        ("another", True, "it was fitted for another, and this is mini"),
        ("mini-2", True, "it was fitted for mini-2, and this is mini"),
        ("mini", False, "it has no signal for this kind of node"),
    ],
)
async def test_a_policy_of_another_model_or_without_a_signal_is_set_aside_with_a_warning_and_an_event(
    model: str, signal: bool, reason: str, tmp_path: Path
) -> None:
    workflow = project(tmp_path, mini=WRONG, model=model, signal=signal)
    async with Engine(journal=tmp_path / "j.db") as engine:
        (warning,) = (await engine.check(workflow)).findings
        handle = await engine.submit(workflow)
        result = await handle.result()
        events = [event async for event in handle.events()]
    assert (warning.code, warning.field, warning.fatal) == ("policy_aside", "route.policy", False)
    assert f"set aside on 'mini': {reason}" in warning.message
    assert [event.reason for event in events if isinstance(event, ev.PolicySetAside)] == [reason]
    first = result.nodes["count"].attempts[0]
    assert (first.failure, result.output) == ("doubt", "12 * 30 = 365 pens")
    assert "by untrained checks" in first.message


@pytest.mark.parametrize("model", ["mini", "rehearsal:mini", "rehearsal/mini", "mini-2025-08-07", "mini-20250807"])
async def test_a_policy_is_of_the_models_by_any_of_its_names(model: str, tmp_path: Path) -> None:
    workflow = project(tmp_path, mini=WRONG, model=model)
    async with Engine(journal=tmp_path / "j.db") as engine:
        assert not (await engine.check(workflow)).findings


async def test_a_doubted_answer_is_voted_on_first_where_the_workflow_has_a_vote(tmp_path: Path) -> None:
    workflow = project(tmp_path, mini=WRONG, promote="true, vote: {samples: 3, quorum: 2}, retry: 0")
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(workflow)
    assert (result.status, result.output) == ("done", WRONG)
    assert [decision.action for decision in result.decisions] == ["vote"]
    assert [attempt.usage.calls for attempt in result.nodes["count"].attempts] == [1, 2]


async def test_a_vote_that_would_make_a_doubted_answer_less_likely_is_passed_over_where_chances_and_prices_are_known(
    tmp_path: Path,
) -> None:
    project(tmp_path, mini=WRONG)
    group = Group(
        kind="count", model="mini", threshold=0.5, signal=SIGNAL, weak_accuracy=0.6, strong_accuracy=0.9, samples=40
    )
    (tmp_path / "policy.yaml").write_text(policy_text(Policy(created="2026-01-01", groups=(group,))))
    (tmp_path / "w.yaml").write_text(PRICED.format(promote="true, vote: {samples: 3, quorum: 2}"))
    workflow = Workflow.from_yaml(tmp_path / "w.yaml")
    async with Engine(journal=tmp_path / "j.db") as engine:
        checked = await engine.check(workflow)
        result = await engine.run(workflow)
    assert (result.status, result.output) == ("done", "12 * 30 = 365 pens")
    (decision,) = result.decisions
    assert (decision.action, decision.rung) == ("promote", "big")
    assert "; pays best of promote +0." in decision.reason
    assert ", vote -0." in decision.reason
    assert [each.step for each in checked.payoffs[NodeId("count")]] == ["retry", "promote", "vote"]


@pytest.mark.parametrize(
    ("big", "kind", "route"),
    [
        ("status: 400", "rejected", ""),
        ('text: "no unit"', "check", "retry: 0, replan: 0"),
        ('text: "no unit"', "check", "retry: 0, then: ask"),
    ],
)
async def test_a_doubted_answer_counts_when_the_stronger_rung_has_none_and_the_record_says_so(
    big: str, kind: str, route: str, tmp_path: Path
) -> None:
    workflow = project(tmp_path, mini=WRONG, promote=f"true, {route}" if route else "true")
    text = (tmp_path / "s.yaml").read_text().replace('text: "12 * 30 = 365 pens"', big)
    (tmp_path / "s.yaml").write_text(text)
    async with Engine(journal=tmp_path / "j.db") as engine:
        result = await engine.run(workflow)
        again = RunView(await engine.history("last"))
    assert (result.status, result.output) == ("done", WRONG), result.error
    first, second = result.nodes["count"].attempts
    assert (first.failure, second.failure) == ("doubt", kind)
    promoted, kept = result.decisions
    assert (promoted.action, kept.action) == ("promote", "keep")
    assert "the answer of attempt 1 on mini counts, which passed its checks and was only doubted (5% " in kept.reason
    assert again.nodes[NodeId("count")].state == "done"


async def test_a_process_that_dies_anywhere_on_the_way_to_a_kept_answer_comes_to_the_same_one(tmp_path: Path) -> None:
    workflow = project(tmp_path, mini=WRONG, promote="true, retry: 0, replan: 0")
    (tmp_path / "s.yaml").write_text(
        (tmp_path / "s.yaml").read_text().replace('text: "12 * 30 = 365 pens"', 'text: "no unit"')
    )
    place = tmp_path / "j.db"
    async with Engine(journal=place) as engine, Journal(place) as journal:
        calm = await engine.run(workflow)
        events = await engine.history(calm.run_id)
        kept = next(at for at, event in enumerate(events) if isinstance(event, ev.Decided) and event.action == "keep")
        for length in range(kept - 3, kept + 2):
            run_id = RunId(f"cut-{length}")
            log = RunLog(journal, run_id)
            for event in events[:length]:
                log.note(replace(event, run_id=run_id) if isinstance(event, ev.RunStarted) else event)
            await journal.commit(run_id)
            again = await engine.resume(run_id)
            assert (again.status, again.output) == ("done", WRONG), (length, again.error)
            assert [made.action for made in again.decisions][-1] == "keep"


async def test_a_policy_file_that_is_not_there_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    workflow = project(tmp_path, mini=RIGHT)
    (tmp_path / "policy.yaml").unlink()
    async with Engine(journal=tmp_path / "j.db") as engine:
        with pytest.raises(ConfigError, match=r"policy\.yaml"):
            await engine.run(workflow)
