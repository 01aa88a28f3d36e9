"""Each check on text: a text it passes and one it fails, written for the test."""

from dataclasses import dataclass

import pytest

from planloom.quality.catalogue import CHECKS, TextName, check_text, check_texts
from planloom.quality.reading import Reading
from planloom.quality.score import untrained

QUESTION = "A shop sells 12 lamps for $30 each and 8 rugs for $45 each. How many dollars does it take in total?"
GOOD = """The lamps bring 12 * 30 = $360.
The rugs bring 8 * 45 = $360.
Together that is 360 + 360 = $720 dollars.
#### 720"""


@dataclass(frozen=True)
class Case:
    name: str
    bad: str
    found: str
    question: str = QUESTION
    good: str = GOOD
    sources: tuple[str, ...] = ()


def fits(arguments: object) -> str:
    return "" if arguments == {"city": "Oslo"} else "'city' is a required property"


CASES = [
    Case("final_answer", "It comes to 360 + 360 = 720 dollars.", "only a last number, 720"),
    Case("complete", "The lamps bring 12 * 30 = $<<12*3", "...The lamps bring 12 * 30 = $<<12*3"),
    Case("settled", f"{GOOD}\nHowever, this is impossible.", "however, impossible"),
    Case("whole", "#### 7.5", "7.5", question="How many lamps are left of 12?", good="12 - 5 = 7 lamps\n#### 7"),
    Case("size", "12 - 30 = -18\n#### -18", "-18"),
    Case("arithmetic", GOOD.replace("= $720", "= $730"), "360+360 = 730, not 720"),
    Case("derived", GOOD.replace("#### 720", "#### 900"), "900"),
    Case("steps_used", f"12 + 8 = 20 things.\n{GOOD}", "20"),
    Case("grounded", "12 * 31.7 = 380.4, 8 * 45 = 360, 380.4 + 360 = 740.4\n#### 740.4", "31.7"),
    Case("solved", "12 * 30 = 6x\n#### 60", "6"),
    Case("even_steps", "30 / 12 = 2.5\n#### 2.5", "2.5"),
    Case("numbers_used", "12 * 30 = 360 dollars\n#### 360", "not used: 8, $45"),
    Case(
        "repeats_used",
        "3 * 5 = 15\n#### 15",
        "3",
        question="3 girls have 3 hats of $5. How much is that?",
        good="3 * 3 = 9, 9 * 5 = 45\n#### 45",
    ),
    Case("enough_steps", "12 + 8 = 20\n#### 20", "1"),
    Case("operations", "12 - 8 = 4\n#### 4", "not in the working"),
    Case("units", "12 * 30 = 360 rugs\n#### 360", "12 * 30 = 360 rugs\n#### 360"),
    Case(
        "citation",
        'It says "the lamp is made of green glass" and [3].',
        '"the lamp is made of green glass"; [3]',
        good='It says "The lamp is made of blue glass", see [1].',
        sources=("Note: the lamp is made of blue glass.",),
    ),
    Case(
        "tool_call",
        '{"name": "weather", "arguments": {}}',
        "'city' is a required property",
        good='{"name": "weather", "arguments": {"city": "Oslo"}}',
    ),
    Case("code", "```python\ndef f(:\n```", "invalid syntax", good="```python\ndef f(): ...\n```"),
]


def reading(case: Case, text: str) -> Reading:
    tools = {"weather": fits} if case.name == "tool_call" else {}
    return Reading(text=text, question=case.question, sources=case.sources, tools=tools)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_check_says_what_is_wrong_and_how_strongly(case: Case) -> None:
    finding = check_text(case.name, reading(case, case.bad))
    assert not finding.evidence.passed
    assert case.found in finding.evidence.found
    assert finding.weight < 0
    fine = check_text(case.name, reading(case, case.good))
    assert fine.evidence.passed, fine.evidence
    assert fine.weight == 0


def test_a_broken_equation_that_gives_the_answer_is_twice_the_flaw_of_another() -> None:
    last = check_text("arithmetic", Reading(text="4 * 12 + 5 = 49\n#### 49"))
    aside = check_text("arithmetic", Reading(text="4 * 12 = 49. 50 + 3 = 53\n#### 53"))
    assert (last.severity, aside.severity) == (2, 1)


def test_a_number_combined_in_the_head_is_less_of_a_flaw_than_one_that_was_forgotten() -> None:
    question = "One truck hauls 4000 pounds, another 800 pounds more. Three haul 11600. How much does the third haul?"
    combined = Reading(text="11600 - 4000 - 4800 = 2800 pounds\n#### 2800", question=question)
    forgotten = Reading(text="11600 - 4000 = 7600 pounds\n#### 7600", question=question)
    assert check_text("grounded", combined).evidence.passed
    assert check_text("numbers_used", combined).severity < check_text("numbers_used", forgotten).severity


def test_rounding_is_no_doubt_where_it_was_asked_for_and_an_open_fence_no_cut_after_whole_json() -> None:
    text = 'It is approximately 33, however it may vary.\n```json\n{"answer": 33}'
    reading = Reading(text=text, question="What is the chance, rounded to the nearest integer?")
    assert check_text("settled", reading).evidence.found == "however"
    assert check_text("complete", reading).evidence.passed


def test_every_check_has_a_case_and_a_name_for_workflows() -> None:
    assert [case.name for case in CASES] == list(CHECKS) == list(TextName.__args__)


def test_a_sound_answer_scores_higher_than_a_flawed_one() -> None:
    flawed = GOOD.replace("= $720", "= $730").replace("#### 720", "")
    sound, poor = (untrained(check_texts(Reading(text=text, question=QUESTION)).values()) for text in (GOOD, flawed))
    assert sound == 0
    assert poor < -2


def test_a_text_without_a_question_is_not_held_against_one() -> None:
    failed = [name for name, found in check_texts(Reading(text="All is well.")).items() if not found.evidence.passed]
    assert failed == ["final_answer"]


@pytest.mark.parametrize(
    "text",
    [
        "Each gets 7 / 2 = 3.5, so 3 whole ones.\n#### 3",
        "3 of 8 is 3/8 = 37.5%.\n#### 37.5",
        "2 + 2 = 4 x 6 = 24\n#### 24",
        "That is 2 x 1 hour = 120 minutes.\n#### 120",
        "1 pound = 16 ounces\n#### 16",
        "2 / 3 = 0.67\n#### 0.67",
    ],
)
def test_rounding_percent_units_and_run_on_equations_are_no_errors(text: str) -> None:
    assert check_text("arithmetic", Reading(text=text, question="How much?")).evidence.passed


@pytest.mark.parametrize(
    "text", ["<<" * 20_000, "(a" * 20_000, "1+1=2 " * 5000, '"aaaa bbbb cccc dddd ' * 2000, "= " * 9000, "-\n" * 20_000]
)
def test_a_hostile_text_is_checked_before_the_test_times_out(text: str) -> None:
    assert set(check_texts(Reading(text=text, question=text, sources=[text]))) == set(CHECKS)


SCAN = """--- Page 12 ---
The northern wall had been weakened by decades of
--- Page 13 ---
neglect. Rainfall reached 1,204 mm, the high-
est since records began, in a well-
known place."""


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("“The northern wall had been weakened by decades of neglect”", ""),
        ('"Rainfall reached 1,204 mm, the highest since records began"', ""),
        ('"since records began, in a well-known place"', ""),
        ('"The northern wall … decades of neglect"', ""),
        ('"decades of neglect [...] The northern wall"', "decades of neglect [...] The northern wall"),
        ("It says ‘the northern wall had been rebuilt by then’.", "the northern wall had been rebuilt by then"),
        ("«The northern wall was never built at all»", "The northern wall was never built at all"),
        ("It says:\n> The southern wall had been weakened", "The southern wall had been weakened"),
        ('"northern wall had been weak"', "northern wall had been weak"),
        ("See [1] and [2-4].", "[2-4] of 1"),
    ],
)
def test_quotations_are_found_as_people_and_scans_write_them(answer: str, found: str) -> None:
    evidence = check_text("citation", Reading(text=answer, sources=(SCAN,))).evidence
    assert evidence.passed is not bool(found)
    assert found in evidence.found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('```json\n{"name": "weather", "arguments": {"city": "Oslo"}}\n```', ""),
        ('{"name": "weather", "arguments": "{\\"city\\": \\"Oslo\\"}"}', ""),
        ('{"tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": "{}"}}]}', "required"),
        ('[{"name": "weather", "arguments": {"city": "Oslo"}}, {"name": "rain", "arguments": {}}]', "rain"),
        ('{"tool": "weather", "args": {"city": "Oslo"}}', "no name; tool, args"),
        ('{"name": "weather", "arguments": "Oslo"}', "no JSON: Oslo"),
    ],
)
def test_calls_are_read_as_models_write_them(answer: str, found: str) -> None:
    evidence = check_text("tool_call", Reading(text=answer, tools={"weather": fits})).evidence
    assert evidence.passed is not bool(found)
    assert found in evidence.found


def test_code_that_cannot_be_read_is_named_by_its_line_and_a_session_is_no_program() -> None:
    broken = check_text("code", Reading(text="~~~python\nx = 1\ndef f(x)\n~~~")).evidence
    assert "line 2: def f(x)" in broken.found
    assert check_text("code", Reading(text="```python\n>>> 1 + 1\n2\n```")).evidence.passed


def test_a_bracket_that_is_open_at_the_end_is_no_end_and_that_of_a_list_is() -> None:
    assert not check_text("complete", Reading(text="a) one\nIt comes to (14*12")).evidence.passed
    assert check_text("complete", Reading(text="(a one\n1) It comes to 168")).evidence.passed


def test_an_answer_in_words_is_one_where_no_number_is_asked_for() -> None:
    question = "Which of the 3 towns is larger than 500?"
    assert check_text("final_answer", Reading(text="Answer: Lund", question=question)).evidence.passed
    assert not check_text("final_answer", Reading(text="Answer: unknown", question=question)).evidence.passed
    assert not check_text("final_answer", Reading(text="Answer: a few", question=QUESTION)).evidence.passed
