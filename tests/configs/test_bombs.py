"""What is small to write and large to read: each is refused, or read, within bounds of work and memory.

Nothing here measures time. What is not bounded runs for minutes or takes gigabytes, and fails by the time limit
or by the address space that this file allows itself.
"""

import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from planloom.configs.json_schema import misfits, schema_faults
from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError
from planloom.core.expr import ExprError, evaluate
from planloom.core.json import Json, JsonObject
from planloom.core.refs import RefError, Scope, find_refs, resolve
from planloom.models.script import Asked, When, load_script

HEAD = "version: 1\nname: w\nmodels: {m: {model: 'openai:a'}}\nladder: [m]\n"
SLOW = "(a+)+$"
VICTIM = "a" * 50_000 + "b"
DRAFT = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    """Let this process grow by 1.5 GiB at most."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 1536 * 2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@dataclass(frozen=True)
class Case:
    id: str
    text: str
    says: str
    field: str = ""


def _nested(count: int, inside: str) -> str:
    return "".join(" " * depth + "k" * 79 + ":\n" for depth in range(count)) + " " * (count + 1) + inside + "\n"


MISSING = ", ".join(f"mm{n}" for n in range(9000))
MANY = ", ".join(f"n{n}: {{goal: x}}" for n in range(20_000))

FILES = [
    Case("a million brackets", "a: " + "[" * 900_000, "64 levels of nesting"),
    Case("a million braces", "a: " + "{" * 900_000, "64 levels of nesting"),
    Case("a million dashes", "- " * 450_000, "64 levels of nesting"),
    Case("a million question marks", "? " * 450_000, "64 levels of nesting"),
    Case("the same key for ever", "a: 1\n" * 190_000, "at most 100 faults", "a"),
    Case("bad keys for ever", "1: 1\n" * 190_000, "at most 100 faults"),
    Case("bad tags for ever", "a: [" + "!x y, " * 150_000 + "]", "at most 100 faults"),
    Case("unknown keys for ever", "".join(f"k{n}: 1\n" for n in range(80_000)), "unknown key", "k0"),
    Case("values far down", _nested(60, "[" + "x, " * 290_000 + "]"), "fewer values so far down"),
    Case("a long anchor", "a: &" + "a" * 900_000 + " x", "unknown key", "a"),
    Case("a long tag", "a: !" + "a" * 900_000 + " x", "expected no tag", "a"),
    Case("anchors for ever", "a: [" + ", ".join(f"&a{n} x" for n in range(80_000)) + "]", "unknown key", "a"),
    Case("a long number", HEAD + "budget: {usd: " + "9" * 900_000 + "}\n", "64 bits", "budget.usd"),
    Case("a long fraction", HEAD + "budget: {usd: 0." + "9" * 900_000 + "e999}\n", "finite number", "budget.usd"),
    Case("names unlike all others", HEAD.replace("[m]", f"[{MISSING}]"), "from models", "ladder[0]"),
    Case("many nodes", f"{HEAD}nodes: {{{MANY}}}\n", "at most 10000", "nodes"),
    Case("variables for ever", HEAD + "description: '" + "${env:A:-" * 100_000 + "'\n", "found ${env:", "description"),
]


@pytest.mark.parametrize("case", FILES, ids=lambda case: case.id)
def test_a_hostile_file_is_refused_with_place_and_reason(case: Case) -> None:
    with pytest.raises(ConfigError) as caught:
        Workflow.from_text(case.text, source="w.yaml", env={})
    found = [problem for problem in caught.value.problems if case.says in problem.message]
    assert found
    assert found[0].line > 0
    assert not case.field or case.field in [problem.field for problem in found]
    assert len(caught.value.problems) <= 302


def _ring(*kinds: str) -> JsonObject:
    last = len(kinds)
    parts: JsonObject = {f"d{n}": {kind: [{"$ref": f"#/$defs/d{(n + 1) % last}"}]} for n, kind in enumerate(kinds)}
    return {"$defs": parts, "$ref": "#/$defs/d0"}


def _doubling(keyword: str) -> JsonObject:
    parts: JsonObject = {f"d{n}": {keyword: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    return {"$defs": {**parts, "d40": {"type": "string"}}, "$ref": "#/$defs/d0"}


def _unevaluated(levels: int) -> JsonObject:
    schema: JsonObject = {"unevaluatedProperties": False}
    for _ in range(levels):
        schema = {"allOf": [schema, schema], "unevaluatedProperties": False}
    return schema


ROWS: Json = [{"a": n} for n in range(3000)]
FITS: dict[str, tuple[JsonObject, Json, bool]] = {
    "a pattern": ({"pattern": SLOW}, VICTIM, False),
    "a pattern of names": ({"propertyNames": {"pattern": SLOW}}, {VICTIM: 1}, False),
    "pattern properties": ({"patternProperties": {SLOW: False}}, {VICTIM: 1}, True),
    "pattern and other properties": (
        {"patternProperties": {SLOW: True}, "additionalProperties": False}, {VICTIM: 1}, False,
    ),
    "patterns and unevaluated properties": (
        {"patternProperties": {SLOW: True}, "unevaluatedProperties": False}, {VICTIM: 1}, False,
    ),
    "a pattern under another $schema": ({"items": {"$schema": DRAFT, "pattern": SLOW}}, [VICTIM], False),
    "a pattern under an old $schema": (
        {"items": {"$schema": "http://json-schema.org/draft-07/schema#", "pattern": SLOW}}, [VICTIM], False,
    ),
    "a pattern behind a reference": (
        {"$defs": {"x": {"$schema": DRAFT, "pattern": SLOW}}, "$ref": "#/$defs/x"}, VICTIM, False,
    ),
    "a format that is a pattern": ({"format": "regex"}, "(" * 50_000, False),
    "a long address": ({"format": "email"}, "a@" * 50_000, True),
    "a word for a date": ({"format": "date"}, "tomorrow", False),
    "a date": ({"format": "date"}, "2026-11-25", True),
    "a long date": ({"format": "date"}, "1" * 50_000, True),
    "unique rows": ({"uniqueItems": True}, ROWS, True),
    "rows that are the same number": ({"uniqueItems": True}, [1, 1.0], False),
    "true is not one": ({"uniqueItems": True}, [1, True, [1], [True]], True),
    "a multiple of next to nothing": ({"multipleOf": 1e-300}, 1e300, False),
    "a number beyond all floats": ({"multipleOf": 0.1}, 10**4000, False),
    "a multiple": ({"multipleOf": 3}, 9, True),
    "a fraction's multiple": ({"multipleOf": 0.5}, 7.5, True),
    "alternatives that double": (_doubling("anyOf"), 3, False),
    "exclusive alternatives that double": (_doubling("oneOf"), 3, False),
    "conditions that double": (_doubling("allOf"), 3, False),
    "unevaluated properties that double": (_unevaluated(9), {"a": 1}, False),
    "a ring": (_ring("allOf", "anyOf"), 3, False),
    "a dynamic ring": ({"$dynamicRef": "#x", "$dynamicAnchor": "x"}, 3, False),
    "a schema from elsewhere": ({"$ref": "http://127.0.0.1:9/x"}, 3, False),
    "a dynamic schema from elsewhere": ({"$dynamicRef": "http://127.0.0.1:9/x"}, 3, False),
    "a schema beside an address": ({"$id": "http://127.0.0.1:9/x", "$ref": "y"}, 3, False),
    "a file": ({"$ref": "file:///etc/passwd"}, 3, False),
    "a large enumeration of many": ({"items": {"enum": [*range(20_000)]}}, [-1] * 20_000, False),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "fits"), FITS.values(), ids=FITS.keys())
def test_holding_a_value_against_a_hostile_schema_ends(schema: JsonObject, value: Json, fits: bool) -> None:
    found = list(misfits(value, schema, "output"))
    assert (not found) is fits
    assert all(field.startswith("output") for field, _ in found)
    assert len(found) <= 100


DEEP: JsonObject = {"type": "object"}
for _ in range(400):
    DEEP = {"properties": {"a": DEEP}}

FAULTS: dict[str, tuple[JsonObject, str]] = {
    "a pattern that is no RE2": ({"pattern": "(?=a)"}, "expected a regex"),
    "a name pattern that is no RE2": ({"patternProperties": {r"(a)\1": {}}}, "expected a regex"),
    "a pattern that unfolds": ({"pattern": "((a{1,1000}){1,1000}){1,1000}"}, "expected a regex"),
    "a deep schema": (DEEP, "expected a smaller schema"),
    "a million small faults": ({"anyOf": [{"type": "x"}] * 50_000}, ""),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_a_hostile_schema_is_a_fault_of_the_workflow(schema: JsonObject, says: str) -> None:
    found = list(schema_faults(schema, "output"))
    assert 0 < len(found) <= 100
    assert says in found[0][1]


BIG: dict[str, Json] = {"xs": [*range(100_000)], "output": {"a": VICTIM}}
EXPRESSIONS = [
    "'a' * 10**9", "10**10**10", "1 << 10**9", "-" * 3000 + "1", "(" * 3000 + ")", "[" * 1000 + "]" * 1000,
    "[[y for y in xs] for x in xs]", "all(x == y for x in xs for y in xs)", "str(xs) * 1000", "xs + xs",
    "matches('((a{1,1000}){1,1000})', output.a)", "{x: y for x in xs for y in xs}", "xs in [xs] * 1000",
    "int('9' * 5000)", "round(1.5, 10**9)", "str(10**5000)", "output.a * 100",
]  # fmt: skip


@pytest.mark.parametrize("text", EXPRESSIONS, ids=lambda text: text[:30])
def test_a_hostile_expression_is_refused(text: str) -> None:
    with pytest.raises(ExprError):
        evaluate(text, BIG)


def test_a_slow_pattern_in_an_expression_is_quick() -> None:
    assert evaluate(f"matches('{SLOW}', output.a)", BIG) is False


TEMPLATES: dict[str, Json] = {
    "in text": "${inputs.x}" * 50_000,
    "in a list": ["${inputs.x}"] * 50_000,
    "in objects": {f"k{n}": {"a": "${inputs.x}"} for n in range(50_000)},
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
def test_a_short_template_cannot_become_a_huge_value(template: Json) -> None:
    with pytest.raises(RefError, match="larger than 50000000 characters together"):
        resolve(template, Scope(inputs={"x": "y" * 100_000}, nodes={}))


@pytest.mark.parametrize("text", ["${" * 400_000, "${a" * 400_000, "${inputs" + ".a" * 400_000 + "!}"], ids=range(3))
def test_a_broken_reference_is_found_at_once(text: str) -> None:
    with pytest.raises(RefError):
        list(find_refs(text))


def _deep(levels: int) -> Json:
    value: Json = []
    for _ in range(levels):
        value = [value]
    return value


def _doubled() -> Json:
    value: Json = ["x"] * 10
    for _ in range(9):
        value = [value] * 10
    return value


def _circle() -> Json:
    value: list[Json] = []
    value.append(value)
    return value


INPUTS: dict[str, tuple[Callable[[], Json], str]] = {
    "deep": (lambda: _deep(100_000), "at most 64 levels"),
    "in a circle": (_circle, "at most 64 levels"),
    "doubling": (_doubled, "at most 500000 values"),
    "a million values": (lambda: [0] * 1_000_000, "at most 500000 values"),
    "a huge text": (lambda: ["x" * 30_000_000], "at most 20000000 characters"),
    "a huge number": (lambda: [10**400_000], "at most 64 bits"),
    "no number": (lambda: [float("nan")], "a finite number"),
}


@pytest.mark.parametrize(("make", "says"), INPUTS.values(), ids=INPUTS.keys())
def test_a_hostile_input_is_refused(make: Callable[[], Json], says: str) -> None:
    workflow = Workflow.from_text(HEAD + "inputs: {a: {type: array}}\nnodes: {a: {goal: x}}\n", env={})
    with pytest.raises(ConfigError) as caught:
        workflow.check_inputs({"a": make()})
    problem = next(problem for problem in caught.value.problems if says in problem.message)
    assert problem.field.startswith("inputs.a")


def test_unknown_inputs_without_end_are_refused() -> None:
    workflow = Workflow.from_text(HEAD + "inputs: {a: {type: array}}\nnodes: {a: {goal: x}}\n", env={})
    with pytest.raises(ConfigError, match="unknown input"):
        workflow.check_inputs({f"k{n}": 1 for n in range(20_000)})


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("  - {text: a}\n" * 10_001, "at most 10000"),
        ("  - {txt: a}\n" * 50_000, "unknown key"),
        ("  - &a [*a]\n", "stands inside"),
    ],
    ids=["many rules", "bad rules for ever", "a rule in itself"],
)
def test_a_hostile_rehearsal_script_is_refused(rules: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("rehearsal: 1\nrules:\n" + rules)
    with pytest.raises(ConfigError, match=says) as caught:
        load_script(path)
    assert caught.value.problems[0].line > 0


@pytest.mark.parametrize("pattern", ["*a" * 30, "[" * 1000, "*" * 1000 + "b", "[!" * 500, "*[a-z]*" * 20], ids=range(5))
def test_a_hostile_pattern_of_a_rehearsal_rule_ends(pattern: str) -> None:
    asked = Asked(role="worker", node="a" * 64, attempt=1, model="a" * 64)
    assert isinstance(When(node=pattern, model=pattern).matches(asked), bool)
