"""The examples with real checks: a wrong first answer is caught and moves up, and other wrong ones would be too."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from played import ROOT, Play, without_pauses

from planloom.core.json import Json

EXAMPLES = ROOT / "examples"


def parts(name: str) -> tuple[Path, str]:
    """Return an example's workflow file and its script."""
    return EXAMPLES / name / "workflow.yaml", without_pauses(EXAMPLES / name / "rehearsal.yaml")


def answering(answers: Mapping[str, Json]) -> str:
    """Return a script in which each node gives one answer, whoever is asked and how often."""
    return json.dumps({"rehearsal": 1, "rules": [{"when": {"node": k}, "json": v} for k, v in answers.items()]})


async def test_programming_ends_in_a_module_that_works(play: Play) -> None:
    played = await play(*parts("programming"))
    assert (played.result.status, played.result.error) == ("done", "")
    module: dict[str, object] = {}
    exec((played.folder / "planloom-programming" / "spans.py").read_text(encoding="utf-8"), module)
    merge, parse, spell = module["merge"], module["parse"], module["spell"]
    assert callable(merge)
    assert callable(parse)
    assert callable(spell)
    assert merge([(8, 9), (1, 7), (2, 3), (7, 8)]) == [[1, 9]]
    assert [spell(parse(text)) for text in ("90m", "2h", "61s")] == ["1h30m", "2h", "1m1s"]


async def test_programming_sends_the_bug_that_the_unit_tests_found_up_the_ladder(play: Play) -> None:
    played = await play(*parts("programming"))
    assert played.actions() == [("merge", "retry"), ("merge", "promote")]
    assert played.server.models("merge") == ["gpt-5-nano", "gpt-5-nano", "gpt-5"]
    first, second = played.evidence("merge")
    assert "a span inside another gave [[1, 3]]" in first
    assert "the argument was changed to [[1, 5], [2, 5]]" in second
    assert [played.server.nodes().count(node) for node in ("parse", "spell")] == [1, 1]


async def test_mathematics_proves_four_answers_and_promotes_the_one_that_was_wrong(play: Play) -> None:
    played = await play(*parts("mathematics"))
    assert (played.result.status, played.result.error) == ("done", "")
    assert played.actions() == [("solve[1]", "promote")]
    assert played.server.models("solve[1]") == ["gpt-5-nano", "gpt-5"]
    assert "the answer's derivative minus the integrand leaves exp(2*x)/2" in played.evidence("solve[1]")[0]
    assert isinstance(played.result.output, dict)
    assert str(played.result.output["proved"]).splitlines() == [
        "derivative of x**x: x**x*(log(x) + 1)",
        "integral of x*exp(2*x): x*exp(2*x)/2 - exp(2*x)/4",
        "integral of 1/(x**2 - 1): log(x - 1)/2 - log(x + 1)/2",
        "roots of x**3 - 6*x**2 + 11*x - 6: 1, 2, 3",
    ]


async def test_mathematics_accepts_no_wrong_answer_to_problems_of_your_own(play: Play) -> None:
    problems: list[Json] = [
        {"find": "derivative", "of": "sin(x)**2"},
        {"find": "integral", "of": "cos(x)"},
        {"find": "roots", "of": "x**2 - 3*x + 2"},
        {"find": "roots", "of": "x**2 + 1"},
    ]
    wrong: dict[str, Json] = {
        "solve[[]0]": {"answers": ["2*sin(x)"]},
        "solve[[]1]": {"answers": ["-sin(x)"]},
        "solve[[]2]": {"answers": ["1", "3"]},
        "solve[[]3]": {"answers": ["I"]},
    }
    played = await play(EXAMPLES / "mathematics" / "workflow.yaml", answering(wrong), {"problems": problems})
    assert played.result.status == "failed"
    assert "the derivative minus the answer leaves" in played.evidence("solve[0]")[0]
    assert "leaves -2*cos(x)" in played.evidence("solve[1]")[0]
    assert "putting in 3 leaves 2" in played.evidence("solve[2]")[0]
    assert "1 different roots, the degree is 2" in played.evidence("solve[3]")[0]


async def test_science_catches_units_that_do_not_fit_and_a_value_in_the_wrong_unit(play: Play) -> None:
    played = await play(*parts("science"))
    assert (played.result.status, played.result.error) == ("done", "")
    assert played.actions() == [("derive[0]", "retry"), ("derive[0]", "promote")]
    assert played.server.models("derive[0]") == ["gpt-5-nano", "gpt-5-nano", "gpt-5", "gpt-5"]
    first, second = played.evidence("derive[0]")
    assert "second ** 2, which is no minute" in first
    assert "the formula yields 92.5576 minute" in second


async def test_science_values_are_those_of_the_formulas(play: Play) -> None:
    result = (await play(*parts("science"))).result
    assert isinstance(result.output, dict)
    formulas = result.output["formulas"]
    assert isinstance(formulas, list)
    values = [float(str(one["value"])) for one in formulas if isinstance(one, dict)]
    period = 2 * 3.14159265 * (6_778_000**3 / 3.986004e14) ** 0.5 / 60
    falling = (2 * 0.43 * 9.81 / (1.2 * 0.47 * 3.14159265 * 0.11**2)) ** 0.5 * 3.6
    assert values == pytest.approx([period, falling, 2 * 8.314 * 300 / 0.025 / 1e5], rel=1e-6)


async def test_review_resolves_one_contradiction_and_records_the_other_as_dissent(play: Play) -> None:
    played = await play(*parts("review"))
    assert (played.result.status, played.result.error) == ("done", "")
    assert isinstance(played.result.output, dict)
    assert played.result.output["g"] == pytest.approx(4 * 3.14159265**2 / 2.006**2)
    panel = played.result.nodes["review"].panel
    assert panel is not None
    assert (panel.stopped, panel.board.round, panel.board.withdrawn) == ("dissent", 2, ("c2",))
    assert [(pair.claims, pair.subject) for pair in panel.dissent] == [(("c3", "c4"), "cause")]
    assert panel.board.claims[0].sources == ("measured", "python")
    assert panel.board.claims[0].endorsed_by == ("reader", "skeptic")


async def test_review_computes_the_value_of_other_measurements(play: Play) -> None:
    measured: Json = {"length_m": 0.5, "swings": 20, "seconds": 28.4}
    result = (await play(*parts("review"), {"measured": measured})).result
    assert isinstance(result.output, dict), result.error
    assert result.output["g"] == pytest.approx(4 * 3.14159265**2 * 0.5 / 1.42**2)


async def test_review_accepts_no_value_that_the_measurement_does_not_give_however_much_they_agree(play: Play) -> None:
    agreed = {"claims": [{"subject": "g", "statement": "It is 9.61 m/s2.", "value": 9.61}]}
    merged = {"result": {"g": 9.61, "report_is_right": True, "cause": "none"}, "decided": True}
    rules = [{"when": {"role": "member"}, "json": agreed}, {"when": {"role": "moderator"}, "json": merged}]
    played = await play(parts("review")[0], json.dumps({"rehearsal": 1, "rules": rules}))
    assert played.result.status == "failed"
    assert "the measurement gives 9.811 m/s2" in played.evidence("review")[0]
    assert played.actions() == [("review", action) for action in ("retry", "promote", "retry", "stop")]
    assert {request["model"] for request in list(played.server.requests)[-4:]} == {"gpt-5"}
