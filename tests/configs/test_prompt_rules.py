"""What prompts are better without is found; prompts of ours are not."""

from pathlib import Path

import pytest

from planloom.agents.prompting import prompt
from planloom.configs.load import Workflow, shipped_names
from planloom.configs.prompt_rules import RULES, faults_of, prompt_problems

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Add the figures. Think carefully, step by step.", "step_by_step"),
        ("Let's think about the ledger.", "step_by_step"),
        ("Add them. PLEASE!!!", "pleading"),
        ("Take a deep breath and add.", "step_by_step"),
        ("I beg you to be exact.", "pleading"),
        ("Be exact, my career depends on it.", "pleading"),
        ("If it is wrong you will be fired.", "threat"),
        ("I'll tip you $200 for a perfect answer.", "bribe"),
        ("You will receive a generous bonus.", "bribe"),
        ("It is 2026-11-25 14:00. Name the next holiday.", "unstable_prefix"),
        ("${item}: name its capital.", "unstable_prefix"),
        ("Run 123e4567-e89b-12d3-a456-426614174000: sum up.", "unstable_prefix"),
        ("Always cite the page. Be brief. Never cite the page.", "contradiction"),
        ("Use the search tool first. Be brief. Use the search  tool first.", "duplicate"),
    ],
)
def test_each_rule_finds_its_like(text: str, code: str) -> None:
    assert [found for found, *_ in faults_of(text)] == [code]


@pytest.mark.parametrize(
    "text",
    [
        "Describe the recipe as steps, one by one.",
        "Please name the component.",
        "Pay the invoice if it is due.",
        "Always cite the page. Never cite a blog.",
        "Never guess. Do not guess.",
        "Name the city with the most rain in all the years from 2012 to 2015, and say when: ${inputs.when}",
        "Be brief. Be brief.",
        "",
    ],
)
def test_what_only_looks_like_it_passes(text: str) -> None:
    assert list(faults_of(text)) == []


def test_every_rule_has_a_reason_and_a_source() -> None:
    assert all(rule.why and rule.source.startswith("https://") for rule in RULES)
    assert len({rule.code for rule in RULES}) == len(RULES)


def test_our_own_prompts_and_workflows_keep_the_rules() -> None:
    for file in sorted((ROOT / "agents" / "prompts").glob("*.md")):
        assert list(faults_of(prompt(file.stem))) == [], file
    for name in shipped_names():
        assert prompt_problems(Workflow.shipped(name)) == []
