"""Every malformed workflow is a ConfigError that names line, column, field, and what is wrong."""

from dataclasses import dataclass

import pytest

from planloom.configs.load import Workflow
from planloom.core.errors import ConfigError

BASE = """\
version: 1
name: w
inputs:
  topic: {type: string, default: tea}
models:
  mini: {model: "openai:a", timeout: 30s}
  big: {model: "openai:b"}
ladder: [mini, big]
tools:
  db: {sql: "sqlite:///x.db"}
nodes:
  one:
    goal: Find out about ${inputs.topic}
    tools: [db]
  two:
    goal: Write
    with: {facts: "${nodes.one.output}"}
    checks:
      - expr: len(output) > 3
route: {retry: 1}
budget: {usd: 1.5}
output: "${nodes.two.output}"
"""


@dataclass(frozen=True)
class Case:
    """`new` replaces `old` in BASE; `@` in it marks where the problem stands."""

    id: str
    old: str
    new: str
    field: str
    says: str


def whole(id: str, text: str, field: str, says: str) -> Case:
    return Case(id, BASE, text, field, says)


LAST = 'output: "${nodes.two.output}"\n'

CASES = [
    # The text itself.
    whole("empty file", "@", "", "found an empty file"),
    whole("only a comment", "@# nothing\n", "", "expected a mapping"),
    whole("a list", "@- a\n- b\n", "", "expected a mapping with version, name"),
    whole("a scalar", "@hello\n", "", 'found "hello" (text)'),
    whole("only null", "@~\n", "", "found nothing (null)"),
    whole("tab as indentation", "version: 1\nnodes:\n@\ta: {goal: x}\n", "", "a tab; indent with spaces"),
    whole("reserved indicator", "version: 1\nname: @%w\n", "", "put the text in quotes"),
    whole("open quote", 'version: 1\nname: @"w\n', "", "expected a closing quote"),
    whole("open list", "version: 1\nladder: [a, b\nname@: w\n", "", "flow sequence from line 2"),
    whole("colon in plain text", "version: 1\nname: a@: b\n", "", "a second ':'"),
    whole("wrong indentation", "version: 1\n name@: w\n", "", "a second ':'"),
    whole("bad escape", 'version: 1\nname: "@\\q"\n', "", "unknown escape"),
    whole("control character", "version: 1\nname: a@\x07\n", "", "U+0007"),
    whole("null character", "version: 1\nname: a@\x00\n", "", "U+0000"),
    whole("yaml 2", "@%YAML 2.0\n---\nversion: 1\n", "", "incompatible YAML"),
    whole(
        "too deep",
        "version: 1\nname: w\noutput: " + "[" * 63 + "@[" + "]" * 64 + "\n",
        "output" + "[0]" * 63,
        "64 levels",
    ),
    whole("undefined alias", BASE.replace(LAST, "output: @*nope\n"), "output", "names no anchor"),
    whole("alias in itself", BASE.replace(LAST, "output: &a [@*a]\n"), "output[0]", "inside what it names"),
    whole(
        "custom tag", BASE.replace(LAST, "output: @!!python/object:os.system x\n"), "output", "found !!python/object"
    ),
    whole("tag on a mapping", BASE.replace(LAST, "output: @!thing {a: 1}\n"), "output", "found !thing"),
    whole("tag that does not fit", BASE.replace(LAST, "output: @!!int x\n"), "output", "!!int"),
    Case("second document", LAST, LAST + "@---\na: 1\n", "", "found a second one"),
    # Keys.
    Case("duplicate top key", LAST, LAST + "@name: again\n", "name", 'found "name" again (first on line 2)'),
    Case("duplicate node", "  two:", "  @one: {goal: x}\n  two:", "nodes.one", "each key once"),
    Case("duplicate key in flow", "{retry: 1}", "{retry: 1, @retry: 2}", "route.retry", "each key once"),
    Case("number as a key", "  two:", "  @7: {goal: x}\n  two:", "nodes", "text as a key, found 7"),
    Case("boolean as a key", "{retry: 1}", "{@true: 1}", "route", "text as a key, found true"),
    Case("null as a key", "{retry: 1}", "{@~: 1}", "route", "text as a key"),
    Case("list as a key", "{retry: 1}", "{@[a]: 1}", "route", "text as a key, found a list"),
    Case("merge key", "    goal: Write", "    @<<: {goal: x}\n    goal: Write", "nodes.two", "merge key"),
    Case("variable in a key", "facts:", '@"${env:HOME}":', "nodes.two.with.${env:HOME}", "keys take none"),
    # Unknown and missing keys.
    Case("unknown top key", "ladder:", "@lader:", "lader", 'did you mean "ladder"?'),
    Case("unknown node key", "    goal: Write", "    @gaol: Write", "nodes.two.gaol", 'did you mean "goal"?'),
    Case("unknown key, upper case", "timeout:", "@Timeout:", "models.mini.Timeout", 'did you mean "timeout"?'),
    Case("unknown key, nothing near", "{retry: 1}", "{@zzz: 1}", "route.zzz", "expected one of repair, retry"),
    Case("python's name of with", "    with:", "    @with_:", "nodes.two.with_", 'did you mean "with"?'),
    Case("missing version", "version: 1\n", "", "version", "the key is missing"),
    Case("missing name", "name: w\n", "", "name", "the key is missing"),
    Case("missing model", '  big: {model: "openai:b"}', "  big: @{}", "models.big.model", "the key is missing"),
    Case(
        "missing file root",
        '{sql: "sqlite:///x.db"}',
        "{files: @{max_bytes: 1}}",
        "tools.db.files.root",
        "the key is missing",
    ),
    Case("missing grant tool", "tools: [db]", "tools: [@{args: {}}]", "nodes.one.tools[0].tool", "the key is missing"),
    # Types.
    Case("version as text", "version: 1", 'version: @"1"', "version", 'expected 1, found "1"'),
    Case("version 2", "version: 1", "version: @2", "version", "expected 1, found 2"),
    Case("name is no name", "name: w", "name: @my flow", "name", "expected a name"),
    Case("name is a number", "name: w", "name: @12", "name", "found 12 (whole number)"),
    Case("node id is no name", "  two:", "  @t wo:", "nodes.t wo", "as a key"),
    Case("with name is no name", "{facts:", "{@a-b:", "nodes.two.with.a-b", "as a key"),
    Case(
        "models is a list",
        'models:\n  mini: {model: "openai:a", timeout: 30s}\n  big: {model: "openai:b"}',
        "models: @[a]",
        "models",
        "found a list",
    ),
    Case("empty section", "route: {retry: 1}", "@route:", "route", "found nothing (null)"),
    Case("ladder is text", "ladder: [mini, big]", "ladder: @mini", "ladder", "expected a list"),
    Case("rung is text", '  big: {model: "openai:b"}', '  big: @"openai:b"', "models.big", "expected a mapping"),
    Case("code is a number", "goal: Write", "code: @5", "nodes.two.code", 'is written in quotes: "5"'),
    Case("tool is true", "goal: Write", "tool: @true", "nodes.two.tool", 'is written in quotes: "true"'),
    Case("goal is a list", "goal: Write", "goal: @[a]", "nodes.two.goal", "expected text, found a list"),
    Case("grant is a number", "tools: [db]", "tools: [@3]", "nodes.one.tools[0]", "expected text or a mapping"),
    Case("map is a number", "goal: Write", "goal: Write\n    map: @3", "nodes.two.map", "expected text or a list"),
    Case("sql is a list", '"sqlite:///x.db"', "@[a]", "tools.db.sql", "expected text or a mapping with url"),
    Case(
        "yes is no boolean",
        "goal: Write",
        "goal: Write\n    approve: @yes",
        "nodes.two.approve",
        "expected true or false",
    ),
    Case("true is no number", "{retry: 1}", "{retry: @true}", "route.retry", "whole number from 0 to 5"),
    Case("fraction", "{retry: 1}", "{retry: @1.5}", "route.retry", "found 1.5 (number)"),
    Case("number in quotes", "{retry: 1}", "{retry: @'1'}", "route.retry", 'found "1" (text)'),
    Case("out of range", "{retry: 1}", "{retry: @9}", "route.retry", "from 0 to 5, found 9"),
    Case("negative money", "usd: 1.5", "usd: @-1", "budget.usd", "above 0"),
    Case("not a number", "usd: 1.5", "usd: @.nan", "budget.usd", "finite number, found .nan"),
    Case("infinity", "usd: 1.5", "usd: @-.inf", "budget.usd", "finite number"),
    Case("overflow", "usd: 1.5", "usd: @1e999", "budget.usd", "finite number"),
    Case("huge integer", "usd: 1.5", "usd: @" + "9" * 5000, "budget.usd", "64 bits"),
    Case("bad duration", "timeout: 30s", "timeout: @30x", "models.mini.timeout", "duration such as 500ms"),
    Case("no time at all", "timeout: 30s", "timeout: @0s", "models.mini.timeout", "duration such as"),
    Case("bad count", "usd: 1.5", "tokens: @2X", "budget.tokens", "200k or 2M"),
    Case("bad rate", "timeout: 30s", "rate: {requests: @5/h}", "models.mini.rate.requests", "500/min"),
    Case("unknown word", "goal: Write", "goal: Write\n    effort: @hihg", "nodes.two.effort", 'did you mean "high"?'),
    Case(
        "bad output path",
        "len(output) > 3",
        "len(output) > 3\n      - {regex: x, path: @title}",
        "nodes.two.checks[1].path",
        "output.title",
    ),
    Case(
        "bad function",
        "len(output) > 3",
        "len(output) > 3\n      - {ref: @app.checks}",
        "nodes.two.checks[1].ref",
        "package.module:function",
    ),
    # What the parts mean together.
    Case(
        "two kinds of check",
        "- expr: len(output) > 3",
        "- @{expr: 'true', regex: x}",
        "nodes.two.checks[0]",
        "found expr and regex",
    ),
    Case("no kind of check", "- expr: len(output) > 3", "- @{message: x}", "nodes.two.checks[0]", "found none"),
    Case("node without work", "  two:\n    goal: Write", "  @two:\n    goal: ''", "nodes.two", "expected a goal"),
    Case("tool and code", "goal: Write", "tool: db.query\n    code: '1'", "nodes.two", "found tool and code"),
    Case("quorum over samples", "{retry: 1}", "{vote: @{samples: 2, quorum: 3}}", "route.vote", "at most 2"),
    Case(
        "agree quorum",
        "len(output) > 3",
        "len(output) > 3\n      - {agree: @{samples: 2, quorum: 3}}",
        "nodes.two.checks[1].agree",
        "at most 2",
    ),
    Case("unknown rung in ladder", "[mini, big]", "[@mimi, big]", "ladder[0]", 'did you mean "mini"?'),
    Case("rung twice", "[mini, big]", "[mini, @mini]", "ladder[1]", "each rung once"),
    Case("unknown planner", "route:", "planner: {model: @bag}\nroute:", "planner.model", 'did you mean "big"?'),
    Case(
        "unknown node model", "goal: Write", "goal: Write\n    model: @gpt", "nodes.two.model", "models has mini, big"
    ),
    Case(
        "unknown judge",
        "len(output) > 3",
        "len(output) > 3\n      - {judge: good?, model: @bog}",
        "nodes.two.checks[1].model",
        'did you mean "big"?',
    ),
    Case("no provider", '"openai:b"', "@gpt-5", "models.big.model", "write openai:gpt-5"),
    Case("unknown provider", '"openai:b"', '@"opnai:b"', "models.big.model", 'did you mean "openai"?'),
    Case("provider alone", '"openai:b"', '@"openai:"', "models.big.model", "expected openai:NAME"),
    Case(
        "script without rehearsal",
        '"openai:b"',
        '"openai:b", script: @s.yaml',
        "models.big.script",
        "rehearsal: models only",
    ),
    Case("no url", '"openai:b"', '"openai:b", base_url: @localhost:1', "models.big.base_url", "http://"),
    Case(
        "key in place of its name",
        '"openai:b"',
        '"openai:b", api_key_env: @sk-abcdef',
        "models.big.api_key_env",
        "(not shown)",
    ),
    Case("tool without kind", '{sql: "sqlite:///x.db"}', "@{timeout: 3s}", "tools.db", "exactly one of python, files"),
    Case(
        "tool with two kinds",
        '{sql: "sqlite:///x.db"}',
        "@{python: {}, files: x}",
        "tools.db",
        "found python and files",
    ),
    Case("tool with nothing", '{sql: "sqlite:///x.db"}', "{@python: }", "tools.db.python", "write python: {}"),
    Case(
        "access on http",
        '{sql: "sqlite:///x.db"}',
        '{http: {base_url: "http://x"}, access: @write}',
        "tools.db.access",
        "files or sql only",
    ),
    Case("http to nowhere", '{sql: "sqlite:///x.db"}', "{http: @{}}", "tools.db.http", "no request could be made"),
    Case(
        "bad allow rule",
        '{sql: "sqlite:///x.db"}',
        '{http: {base_url: "http://x", allow: [@GET v1]}}',
        "tools.db.http.allow[0]",
        "METHOD /path*",
    ),
    Case(
        "relative without base",
        '{sql: "sqlite:///x.db"}',
        "{http: {allow: [@GET /v1]}}",
        "tools.db.http.allow[0]",
        "base_url",
    ),
    Case("auto with nodes", "nodes:", "plan: @auto\nnodes:", "plan", "no nodes with plan: auto"),
    whole("static without nodes", "version: 1\nname: w\nplan: @static\n", "plan", "expected nodes"),
    Case(
        "bad schema type",
        "goal: Write",
        "goal: Write\n    output: {type: @strnig}",
        "nodes.two.output.type",
        'did you mean "string"?',
    ),
    Case(
        "bad schema part",
        "goal: Write",
        "goal: Write\n    output: {properties: @[a]}",
        "nodes.two.output.properties",
        "JSON type object",
    ),
    Case(
        "bad schema pattern",
        "goal: Write",
        "goal: Write\n    output: {pattern: @'('}",
        "nodes.two.output.pattern",
        "expected a regex",
    ),
    Case(
        "foreign schema",
        "goal: Write",
        "goal: Write\n    output: {$ref: @'http://x'}",
        "nodes.two.output.$ref",
        "in this schema",
    ),
    Case(
        "schema in a ring",
        "goal: Write",
        "goal: Write\n    output: {$ref: @'#'}",
        "nodes.two.output.$ref",
        "in this schema",
    ),
    Case("bad input type", "type: string", "type: @text", "inputs.topic.type", "one of string, number"),
    Case("default of another type", "default: tea", "default: @3", "inputs.topic.default", "JSON type string, found 3"),
    Case("default not in enum", "default: tea", "enum: [a], default: @tea", "inputs.topic.default", "one of a"),
    Case("enum of another type", "default: tea", "enum: [a, @3]", "inputs.topic.enum[1]", "JSON type string"),
    Case(
        "bad items",
        "type: string, default: tea",
        "type: array, items: {type: @x}",
        "inputs.topic.items.type",
        "JSON type",
    ),
    # The environment.
    Case(
        "variable not set",
        "goal: Write",
        "goal: @Write ${env:NOT_SET_ANYWHERE}",
        "nodes.two.goal",
        "NOT_SET_ANYWHERE, found it not set",
    ),
    Case(
        "variable without name",
        "goal: Write",
        "goal: @'${env:}'",
        "nodes.two.goal",
        "${env:NAME:-default}",
    ),
    Case("variable not closed", "goal: Write", "goal: @'${env:HOME'", "nodes.two.goal", "without a closing }"),
    Case(
        "variable of another type",
        "{retry: 1}",
        "{retry: @'${env:WORD}'}",
        "route.retry",
        "found a text from the environment",
    ),
]

ENV = {"WORD": "sk-secret", "HOME": "/home/x"}


def place_of(marked: str) -> tuple[str, int, int]:
    at = marked.index("@")
    line = marked.count("\n", 0, at) + 1
    return marked.replace("@", "", 1), line, at - marked.rfind("\n", 0, at)


def errors_of(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Workflow.from_text(text, source="w.yaml", env=ENV)
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_malformed_workflow_names_place_field_and_fault(case: Case) -> None:
    assert BASE.count(case.old) == 1
    marked = BASE.replace(case.old, case.new)
    text, line, column = place_of(marked) if "@" in marked else (marked, 0, 0)
    error = errors_of(text)
    found = [problem for problem in error.problems if problem.field == case.field and case.says in problem.message]
    assert found, str(error)
    if line:
        assert (found[0].line, found[0].column) == (line, column), str(error)
        assert f"w.yaml:{line}:{column}: " in str(error)
    assert "sk-secret" not in str(error)
    assert "sk-abcdef" not in str(error)


def test_the_file_the_cases_start_from_is_sound() -> None:
    assert Workflow.from_text(BASE, env=ENV).spec.name == "w"


def test_every_problem_is_reported_in_the_order_of_the_file() -> None:
    text = BASE.replace("version: 1", "version: 3").replace("[mini, big]", "[mimi, big]")
    text = text.replace("goal: Write", "gaol: Write\n    timeout: .inf").replace("usd: 1.5", "usd: -2")
    problems = errors_of(text + "name: again\n").problems
    assert [problem.field for problem in problems] == [
        "version", "ladder[0]", "nodes.two.gaol", "nodes.two.timeout", "budget.usd", "name",
    ]  # fmt: skip
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    problem = errors_of("\n".join(lines)).problems[0]
    assert "aliases to add at most" in problem.message
    assert problem.line > 1


def test_aliases_do_not_hide_depth() -> None:
    lines = ["a0: &a0 [[[[[[[[[[x]]]]]]]]]]"]
    lines += [f"a{n}: &a{n} [[[[[[[[[[*a{n - 1}]]]]]]]]]]" for n in range(1, 9)]
    assert "levels of nesting" in errors_of("\n".join(lines)).problems[0].message


def test_a_document_over_its_size_is_refused() -> None:
    assert "at most 1000000 bytes" in errors_of("# " + "x" * 1_000_000).problems[0].message
