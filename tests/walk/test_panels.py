"""Panels on a real wire: rounds, contradictions, caps, a killed process, and two boards that never meet."""

import json
from pathlib import Path

import pytest
from support import MakeWorkflow, ModelServer, ServeModel

from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.result import PanelRecord, RunResult
from planloom.engine import Engine

PANEL = """
nodes:
  review:
    goal: What is the rate?
    panel:
      members:
        skeptic: {role: Looks for what is wrong.}
        builder: {role: Says what is there.}
      moderator: {model: big}
      on_contradiction: %s
      rounds: 3
    output: {type: object, properties: {rate: {type: number}}, required: [rate]}
"""
SPLIT = """
rehearsal: 1
rules:
  - when: {member: skeptic, round: 1}
    json: {claims: [{subject: rate, statement: The rate is 4.5 percent., value: 4.5}]}
  - when: {member: builder, round: 1}
    json: {claims: [{subject: the Rate, statement: The rate is 5.1 percent., value: 5.1}]}
"""
STUBBORN = """
  - {when: {role: member}, json: {claims: []}}
  - {when: {role: moderator}, json: {result: {rate: 5.1}, decided: true}}
"""


def panel_of(result: RunResult, node: str = "review") -> PanelRecord:
    panel = result.nodes[node].panel
    assert panel is not None, result.error
    return panel


def asked(server: ModelServer, role: str, node: str = "review") -> list[str]:
    """Return what each request of a role said, its messages as one text."""
    return [
        json.dumps(request["body"]["messages"])  # type: ignore[index,call-overload]
        for request in server.requests
        if request["role"] == role and request["node"] == node
    ]


async def test_a_contradiction_has_one_more_round_and_a_member_gives_way(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(
        SPLIT
        + """
  - when: {member: skeptic, round: 2, contains: "numbers differ: 4.5 and 5.1"}
    json: {claims: [{subject: rate, statement: The rate is 5.1 percent., value: 5.1, supersedes: c1}]}
  - {when: {member: builder, round: 2}, json: {claims: []}}
  - {when: {role: moderator, round: 1}, json: {result: {rate: 4.5}, decided: true}}
  - {when: {role: moderator, round: 2}, json: {result: {rate: 5.1}, decided: true}}
"""
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(PANEL % "resolve"))
    assert (result.status, result.output) == ("done", {"rate": 5.1}), result.error
    panel = panel_of(result)
    assert (panel.stopped, panel.board.round, panel.dissent) == ("agreement", 2, ())
    assert [(claim.id, claim.endorsed_by) for claim in panel.board.standing] == [("c2", ("skeptic",))]
    assert [request["model"] for request in server.requests if request["role"] == "moderator"] == ["big", "big"]
    second = [text for text in asked(server, "member") if "version 2" in text]
    assert len(second) == 2
    assert all("The rate is 4.5 percent." in text and "The rate is 5.1 percent." in text for text in second)


async def test_what_stays_open_after_its_round_is_recorded_as_dissent(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(SPLIT + STUBBORN)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(PANEL % "resolve"))
        history = await engine.history(result.run_id)
    panel = panel_of(result)
    assert (result.status, panel.stopped, panel.board.round) == ("done", "dissent", 2)
    assert [(pair.claims, pair.reason) for pair in panel.dissent] == [(("c1", "c2"), "numbers differ: 4.5 and 5.1")]
    (stopped,) = [event for event in history if isinstance(event, ev.PanelStopped)]
    assert stopped.dissent == panel.dissent
    assert [event.board.version for event in history if isinstance(event, ev.BoardAdvanced)] == [1, 2, 3, 4]


async def test_dissent_is_recorded_without_another_round_where_the_workflow_says_so(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(SPLIT + STUBBORN)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(PANEL % "dissent"))
    panel = panel_of(result)
    assert (result.status, panel.stopped, panel.board.round, len(panel.dissent)) == ("done", "dissent", 1, 1)
    assert len(server.requests) == 3


async def test_an_escalated_contradiction_climbs_the_ladder_with_both_claims(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    same = "{claims: [{subject: rate, statement: The rate is 5 percent., value: 5}]}"
    server = await serve_model(
        f"rehearsal: 1\nrules:\n  - {{when: {{role: member, model: big}}, json: {same}}}\n"
        + SPLIT.partition("rules:\n")[2]
        + "  - {when: {role: moderator}, json: {result: {rate: 5}, decided: true}}\n"
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(PANEL % "escalate"))
    first, second = result.nodes["review"].attempts
    assert (first.failure, second.ok, result.output) == ("disagree", True, {"rate": 5})
    assert "skeptic: The rate is 4.5 percent.; builder: The rate is 5.1 percent." in first.evidence[0].found
    assert [(decision.action, decision.rung) for decision in result.decisions] == [("promote", "big")]
    assert [request["role"] for request in server.requests].count("moderator") == 1
    assert all("The rate is 4.5 percent." in text for text in asked(server, "member")[2:])
    assert panel_of(result).board.claims[0].endorsed_by == ("builder",)


async def test_the_moderators_ruling_settles_a_contradiction_at_once(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    ruling = "{claims: [c1, c2], keep: c2, reason: measured}"
    server = await serve_model(
        f"{SPLIT}  - {{when: {{role: moderator}}, json: {{result: {{rate: 5.1}}, decided: true, rulings: [{ruling}]}}}}"
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        panel = panel_of(await engine.run(make_workflow(PANEL % "resolve")))
    assert (panel.stopped, panel.board.round, panel.dissent) == ("agreement", 1, ())
    assert [claim.id for claim in panel.board.standing] == ["c2"]


@pytest.mark.parametrize(
    ("members", "reason", "rounds"),
    [
        ('{claims: [{subject: "s{{round}}", statement: "In round {{round}} {{member}} says it."}]}', "rounds", 3),
        ('{claims: [{subject: s, statement: "{{member}} says it."}]}', "no_news", 2),
    ],
)
async def test_an_undecided_panel_ends_by_its_rounds_or_when_nothing_new_comes(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path, members: str, reason: str, rounds: int
) -> None:
    server = await serve_model(
        f"rehearsal: 1\nrules:\n  - {{when: {{role: member}}, json: {members}}}\n"
        "  - {when: {role: moderator, contains: This is the last round}, json: {result: {rate: 1}}}\n"
        "  - {when: {role: moderator}, json: {result: null, decided: false}}\n"
    )
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(PANEL % "resolve"))
    panel = panel_of(result)
    assert (result.status, panel.stopped, panel.board.round) == ("done", reason, rounds)


CHATTY = """
rehearsal: 1
rules:
  - {when: {role: member}, json: {claims: [{subject: "s{{round}}", statement: "In round {{round}} {{member}} adds."}]}}
  - {when: {role: moderator}, json: {result: {rate: 1}, decided: false}}
"""


async def test_calls_and_money_end_a_panel_with_what_the_moderator_has(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(CHATTY)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        few = await engine.run(make_workflow(PANEL % "resolve" + "    max_calls: 7\n"))
        poor = await engine.run(make_workflow(PANEL % "resolve" + "budget: {calls: 4}\n"))
        broke = await engine.run(make_workflow(PANEL % "resolve" + "budget: {calls: 1}\n"))
    assert (few.status, panel_of(few).stopped, few.usage.calls) == ("done", "calls", 6)
    assert (poor.status, panel_of(poor).stopped, poor.output) == ("done", "budget", {"rate": 1})
    assert poor.usage.calls <= 4
    assert (broke.status, broke.nodes["review"].attempts[0].failure, broke.usage.calls) == ("failed", "budget", 1)


async def test_a_panel_without_a_result_goes_on_from_its_board_once_the_cap_is_raised(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(CHATTY)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        spent = await engine.run(make_workflow((PANEL % "resolve").replace("rounds: 3", "rounds: 1") + BUDGET))
        result = await engine.resume(spent.run_id, budget={"calls": 3})
    assert (spent.status, spent.usage.calls, panel_of(spent).board.version) == ("failed", 2, 1)
    assert (result.status, panel_of(result).stopped, result.usage.calls) == ("done", "rounds", 3)
    assert [request["role"] for request in server.requests] == ["member", "member", "moderator"]


BUDGET = "budget: {calls: 2}\n"
TWO = """
max_parallel: 4
nodes:
  left: &panel
    goal: What is the secret of ${inputs.left}?
    with: {given: "${inputs.left}"}
    panel: {members: {a: {role: Reads.}, b: {role: Doubts.}}, rounds: 2}
  right:
    goal: What is the secret of ${inputs.right}?
    with: {given: "${inputs.right}"}
    panel: {members: {a: {role: Reads.}, b: {role: Doubts.}}, rounds: 2}
inputs:
  left: {default: CANARY-LEFT-7Q}
  right: {default: CANARY-RIGHT-3K}
"""


async def test_two_panels_at_once_never_see_each_others_boards_and_both_report_their_contradiction(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    """Both have the same members, subjects and claim ids; delays put their rounds between one another."""
    server = await serve_model("""
rehearsal: 1
rules:
  - {when: {node: left, member: a}, delay: 40ms, json: {claims: [
      {subject: secret, statement: "{{input.given}} is open.", value: true}]}}
  - {when: {node: left, member: b}, json: {claims: [
      {subject: secret, statement: "{{input.given}} is not open.", value: false}]}}
  - {when: {node: right, member: a}, json: {claims: [
      {subject: secret, statement: "{{input.given}} weighs 3 kg.", value: 3}]}}
  - {when: {node: right, member: b}, delay: 60ms, json: {claims: [
      {subject: secret, statement: "{{input.given}} weighs 4 kg.", value: 4}]}}
  - {when: {role: moderator}, delay: 30ms, json: {result: "of {{node}}: {{input.given}}", decided: false}}
""")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(TWO))
        history = await engine.history(result.run_id)
    assert result.status == "done", result.error
    order = [event.node_id for event in history if isinstance(event, ev.CallStarted)]
    assert order.index("right") < len(order) - 1 - order[::-1].index("left")  # they did run at once
    assert order.index("left") < len(order) - 1 - order[::-1].index("right")
    for node, own, foreign in (("left", "LEFT-7Q", "RIGHT-3K"), ("right", "RIGHT-3K", "LEFT-7Q")):
        texts = [*asked(server, "member", node), *asked(server, "moderator", node)]
        assert len(texts) == 6
        assert all(own in text for text in texts)
        assert not any(foreign in text for text in texts)
        panel = panel_of(result, node)
        assert foreign not in json.dumps([claim.as_json() for claim in panel.board.claims])
        assert [pair.claims for pair in panel.dissent] == [("c1", "c2")]
        assert panel.board.round <= 2
    assert panel_of(result, "left").dissent[0].reason == "values differ: true and false"
    assert panel_of(result, "right").dissent[0].reason == "numbers differ: 3 and 4"


async def test_members_of_one_round_do_not_see_what_the_others_write_in_it(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(SPLIT.replace("round: 1}\n    json", "round: 1}\n    delay: 1ms\n    json") + STUBBORN)
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        await engine.run(make_workflow(PANEL % "resolve"))
    first, second = asked(server, "member")[:2]
    assert "Nothing stands on it yet" in first
    assert "Nothing stands on it yet" in second


async def test_claims_name_only_sources_that_their_author_had(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    """The member that called the tool may name it; the other, and names out of the air, are struck out."""
    server = await serve_model("""
rehearsal: 1
rules:
  - {when: {member: a, tool_results: 0}, tool_calls: [{name: lookup, args: {key: x}}]}
  - {when: {role: member}, json: {claims: [
      {subject: "{{member}}", statement: "Of {{member}}.", sources: [figures, lookup, The Times, c9]}]}}
  - {when: {role: moderator}, json: {result: fine, decided: true}}
""")

    def lookup(key: str) -> int:
        return len(key)

    body = """
nodes:
  n:
    goal: Look
    with: {figures: [1, 2]}
    tools: [lookup]
    panel: {members: {a: {role: Looks up.}, b: {role: Reads.}}}
"""
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url, tools={"lookup": lookup}) as engine:
        result = await engine.run(make_workflow(body))
        history = await engine.history(result.run_id)
    panel = panel_of(result, "n")
    assert [claim.sources for claim in panel.board.claims] == [("figures", "lookup"), ("figures",)]
    assert [event.tool for event in history if isinstance(event, ev.ToolCalled)] == ["lookup"]
    told: list[Json] = [event.member for event in history if isinstance(event, ev.CallStarted)]
    assert sorted(map(str, told)) == ["", "a", "a", "b"]


async def test_a_check_that_fails_sends_the_panel_back_with_its_evidence_and_an_empty_board(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(f"""
rehearsal: 1
rules:
  - {{when: {{role: moderator, attempt: 1}}, json: {{result: {{rate: 1}}, decided: true}}}}
  - {{when: {{role: moderator}}, json: {{result: {{rate: 5}}, decided: true}}}}
  {STUBBORN.strip().splitlines()[0]}
""")
    workflow = make_workflow(PANEL % "resolve" + '    checks: [{expr: "output.rate > 2"}]\nroute: {retry: 1}\n')
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(workflow)
    assert (result.status, [attempt.ok for attempt in result.nodes["review"].attempts]) == ("done", [False, True])
    assert all("output.rate > 2" in text for text in asked(server, "moderator")[1:])
    assert panel_of(result).attempt == 2
    assert panel_of(result).board.version == 2


async def test_a_promoted_panel_asks_nobody_below_its_new_rung(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model(
        "rehearsal: 1\nrules:\n  - {when: {role: member}, json: {claims: []}}\n"
        "  - {when: {attempt: 1}, json: {result: null, cannot: {code: other, reason: too hard}}}\n"
        "  - {json: {result: done, decided: true}}\n"
    )
    body = """
nodes:
  n:
    goal: Look
    panel: {members: {a: {role: Reads., model: mini}, b: {role: Doubts., model: side}}}
ladder: [mini, big]
"""
    three = """
models:
  mini: {model: "openai:mini", price: {input: 1, output: 1}}
  big: {model: "openai:big", price: {input: 1, output: 1}}
  side: {model: "openai:side", price: {input: 1, output: 1}}
"""
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        result = await engine.run(make_workflow(body, models=three))
    assert (result.status, result.output, result.nodes["n"].attempts[0].failure) == ("done", "done", "cannot")
    models = [(request["attempt"], str(request["model"])) for request in server.requests]
    assert sorted(models[:3]) == [(1, "mini"), (1, "mini"), (1, "side")]
    assert sorted(models[3:]) == [(2, "big"), (2, "big"), (2, "side")]


async def test_a_planner_may_write_a_panel_only_where_the_workflow_lets_it(
    serve_model: ServeModel, make_workflow: MakeWorkflow, tmp_path: Path
) -> None:
    server = await serve_model("""
rehearsal: 1
rules:
  - {when: {role: planner, contains: Your plan was not accepted}, json: {nodes: [{id: n, goal: Look}]}}
  - {when: {role: planner}, json: {nodes: [
      {id: n, goal: Look, panel: {members: {a: {role: Reads.}, b: {role: Doubts.}}}}]}}
  - {when: {role: member}, json: {claims: []}}
  - {when: {role: moderator}, json: {result: by a panel, decided: true}}
  - {when: {role: worker}, text: by a worker}
""")
    async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
        refused = await engine.run(make_workflow("planner: {panels: false}\n"))
        allowed = await engine.run(make_workflow("planner: {panels: true}\n"))
    assert (refused.output, allowed.output) == ("by a worker", "by a panel")
    told = ["a `goal` may have a `panel`" in text for text in asked(server, "planner", "")]
    assert told == [False, False, True]
