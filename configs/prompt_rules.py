"""What prompts are better without, as data: a pattern, why, and where that is shown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from planloom.configs.load import Workflow
from planloom.core.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRule:
    """One thing to leave out of a prompt."""

    code: str
    pattern: re.Pattern[str]
    """What it looks like; only at the start of a text where `start` says so."""
    why: str
    source: str
    start: bool = False


def _rule(code: str, pattern: str, why: str, source: str, *, start: bool = False) -> PromptRule:
    return PromptRule(code=code, pattern=re.compile(pattern, re.IGNORECASE), why=why, source=source, start=start)


_START_CHARS = 60
"""How far the start of a text reaches: what varies there keeps a provider from finding the rest in its cache."""
_CACHING = "https://platform.openai.com/docs/guides/prompt-caching"
_PRICES = "https://platform.openai.com/docs/pricing"
_GPT5 = "https://cookbook.openai.com/examples/gpt-5/gpt-5_prompting_guide"

RULES: tuple[PromptRule, ...] = (
    _rule(
        "step_by_step",
        r"\b(?:think|reason|work)\b[^.!?\n]{0,30}\bstep[ -]by[ -]step\b|\blet'?s think\b|\bchain[ -]of[ -]thought\b"
        r"|\btake a deep breath\b",
        "models that reason do so by themselves; telling them costs time and tokens and gains little or nothing",
        "https://arxiv.org/abs/2506.07142",
    ),
    _rule(
        "pleading",
        r"\b(?:i(?:'m| am) begging|i beg) you\b|\bplease,? please\b|\bplease ?!{2,}|\bpretty please\b"
        r"|\b(?:my (?:career|job|life)|lives?) depends? on (?:it|this|you)\b",
        "appeals have no effect that could be relied on; say what the result must hold, as a check",
        "https://arxiv.org/abs/2508.00614",
    ),
    _rule(
        "threat",
        r"\byou(?:'ll| will) be (?:fired|punished|penali[sz]ed|terminated|shut down|deleted|replaced|sued)\b"
        r"|\bi(?:'ll| will) (?:kill|hurt|fire|punish|report) you\b|\bor else!",
        "threats do not make answers better; they change single answers in no foreseeable direction",
        "https://arxiv.org/abs/2508.00614",
    ),
    _rule(
        "bribe",
        r"\b(?:tip|pay|reward) you\b|\$\s?\d[\d,]*(?:\.\d+)? tip\b|\btip of \$"
        r"|\byou(?:'ll| will) (?:get|receive|earn) an? [\w ]{0,20}(?:tip|bonus|reward)\b",
        "offers of money do not make answers better; they change single answers in no foreseeable direction",
        "https://arxiv.org/abs/2508.00614",
    ),
    _rule(
        "unstable_prefix",
        r"\$\{(?:inputs|item|index|nodes|env:)|\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2})?\b|\b\d{2}:\d{2}:\d{2}\b"
        r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "providers cache a prompt by its exact beginning; put what varies last, or under `with`",
        _CACHING,
        start=True,
    ),
)
CONTRADICTION = ("contradiction", "it says always and never of the same; a model spends its effort on that", _GPT5)
DUPLICATE = ("duplicate", "the same sentence stands there twice, and each is paid for in every call", _PRICES)

_ORDER = re.compile(r"\b(always|never|do not|don't|must not)\s+((?:[\w'-]+ ?){1,6})", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?\n]+")
_SHORTEST_SENTENCE = 4
"""Words; shorter ones are headings and the like."""


def prompt_problems(workflow: Workflow) -> list[Problem]:
    """Return what the prompts of a workflow are better without, with line and column."""
    return [
        workflow.problem(field, f"{code}: {found}: {why} ({source})")
        for field, text in _prompts(workflow)
        for code, found, why, source in faults_of(text)
    ]


def _prompts(workflow: Workflow) -> Iterator[tuple[str, str]]:
    spec = workflow.spec
    yield "planner.instructions", spec.planner.instructions
    for node_id, node in spec.nodes.items():
        if node.tool is None and node.code is None:
            yield f"nodes.{node_id}.goal", node.goal
        for index, check in enumerate(node.checks):
            yield f"nodes.{node_id}.checks[{index}].judge", check.judge or ""


def faults_of(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield code, what was found, why, and source for each fault of one prompt."""
    for rule in RULES:
        found = rule.pattern.search(text[:_START_CHARS] if rule.start else text)
        if found is not None:
            yield rule.code, repr(found[0]), rule.why, rule.source
    for one, other in _contradictions(text):
        code, why, source = CONTRADICTION
        yield code, f"{one!r} and {other!r}", why, source
    seen = [" ".join(found[0].lower().split()) for found in _SENTENCE.finditer(text)]
    long = [sentence for sentence in seen if len(sentence.split()) >= _SHORTEST_SENTENCE]
    for sentence in dict.fromkeys(sentence for sentence in long if long.count(sentence) > 1):
        code, why, source = DUPLICATE
        yield code, repr(sentence[:60]), why, source


def _contradictions(text: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of orders, one always and one never, on the same verb and object."""
    orders = [(found[1].lower() == "always", found[2].strip(), found[0].strip()) for found in _ORDER.finditer(text)]
    for (yes, what, said), (also, that, told) in combinations(orders, 2):
        if yes != also and what.lower().split()[:3] == that.lower().split()[:3]:
            yield said, told
