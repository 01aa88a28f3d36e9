"""`validate`, `explain`, `graph FILE`, `schema`, `rehearse`, `init`."""

import json
import socket
from pathlib import Path

import pytest

GOOD = """\
version: 1
name: good
description: Two nodes and a map
inputs: {items: {type: array, default: [1, 2]}}
models:
  mini: {model: "openai:gpt-5-mini", base_url: "http://localhost:1/v1"}
  big: {model: "openai:gpt-5", base_url: "http://localhost:1/v1"}
tools: {py: {python: {}}}
nodes:
  list: {goal: Make a list, tools: [py], output: {type: array}, checks: [{expr: len(output) > 1}]}
  each: {goal: "Look at ${item}", map: "${nodes.list.output}"}
budget: {usd: 1, calls: 50}
output: "${nodes.each.output}"
"""
AUTO = """\
version: 1
name: auto
models: {big: {model: "openai:gpt-5", base_url: "http://localhost:1/v1"}}
tools: {db: {sql: "sqlite:///x.db"}}
planner: {max_nodes: 7, approve: writes}
"""


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "auto.yaml").write_text(AUTO)
    return "good.yaml"


def test_a_good_file_is_ok_and_leaves_nothing_behind(cli, good: str, tmp_path: Path) -> None:
    ran = cli("validate", good)
    assert (ran.code, ran.out, ran.err) == (0, "good.yaml: ok\n", "")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["auto.yaml", "good.yaml"]


def test_a_file_is_checked_and_explained_without_a_key(cli, good: str, tmp_path: Path) -> None:
    (tmp_path / "keyed.yaml").write_text(GOOD.replace(', base_url: "http://localhost:1/v1"', ""))
    assert cli("validate", "keyed.yaml").out == "keyed.yaml: ok\n"
    assert cli("explain", "keyed.yaml").code == 0


def test_every_problem_of_every_file_has_line_and_column(cli, good: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\nname: x\nnodse: {}\nmax_parallel: 0\n")
    ran = cli("validate", good, "bad.yaml")
    assert (ran.code, ran.out) == (2, "good.yaml: ok\n")
    lines = ran.err.splitlines()
    assert any(line.startswith("bad.yaml:3:1: nodse: ") for line in lines)
    assert any(line.startswith("bad.yaml:4:") and "max_parallel: " in line for line in lines)


def test_what_only_the_compiler_sees_has_a_place_too(cli, good: str, tmp_path: Path) -> None:
    (tmp_path / "cycle.yaml").write_text(
        "version: 1\nname: x\nnodes:\n  a: {code: '1', needs: [b]}\n  b: {code: '1', needs: [a]}\n"
    )
    ran = cli("validate", "cycle.yaml")
    assert ran.code == 2
    assert ran.err.startswith("cycle.yaml:")
    assert "a" in ran.err


def test_warnings_are_shown_and_do_not_fail(cli, good: str, tmp_path: Path) -> None:
    (tmp_path / "warn.yaml").write_text(GOOD.replace('output: "${nodes.each.output}"', "output: 1"))
    ran = cli("validate", "warn.yaml")
    assert (ran.code, ran.out) == (0, "warn.yaml: ok\n")
    assert "warning: " in ran.err


def test_validate_speaks_json(cli, good: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("version: 2\nname: x\n")
    ran = cli("validate", "bad.yaml", good, "none.yaml", "--json")
    first, second, third = json.loads(ran.out)
    assert (ran.code, ran.err) == (2, "")
    assert first["problems"][0]["field"] == "version"
    assert (first["problems"][0]["line"], first["problems"][0]["column"]) == (1, 10)
    assert second == {"file": "good.yaml", "ok": True, "problems": [], "warnings": []}
    assert third["ok"] is False


def test_explain_shows_nodes_ranges_tools_checks_and_the_longest_path(cli, good: str) -> None:
    out = cli("explain", good).out
    for part in ("list", "each per element", "mini", "py", "schema", "len(output) > 1", "list → each", "of 50"):
        assert part in out
    assert "1. mini" in out
    assert "2. big" in out
    assert "0.25" in out


def test_init_tells_commands_as_the_program_was_called(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = tmp_path / "bin" / "planloom"
    called.parent.mkdir()
    called.touch()
    monkeypatch.setattr("sys.argv", [str(called)])
    assert f"  {called} run workflow.yaml --rehearsal rehearsal.yaml   # no key" in cli("init", "new").out


def test_explain_marks_nodes_that_write_wait_or_may_be_skipped_and_what_tools_do(cli, tmp_path: Path) -> None:
    (tmp_path / "post.py").write_text("def send(text: str) -> str:\n    return text\n")
    (tmp_path / "w.yaml").write_text(
        "version: 1\nname: w\nplanner: {approve: writes}\ninputs: {go: {type: boolean}}\n"
        "tools: {notify: {ref: 'post:send', effect: write}, dir: {files: {root: .}}}\n"
        "nodes:\n"
        "  a: {code: '1', when: inputs.go, on_skip: 'null'}\n"
        "  b: {tool: notify, with: {text: '${nodes.a.output}'}}\n"
        "  c: {code: '2'}\n"
        "output: '${nodes.b.output}'\n"
    )
    out = cli("explain", "w.yaml").out
    words = " ".join(out.split())
    assert "a when code" in words
    assert "b write approve tool" in words
    assert "c code" in words
    assert "notify (ref, write), dir (files, read)" in out
    (warning,) = [line for line in out.splitlines() if "warning" in line]
    assert warning == cli("validate", "w.yaml").err.strip()
    assert warning.startswith("w.yaml:9:6: nodes.c: warning: ")


def test_explain_names_a_planner_of_a_plan_written_by_hand_only_where_one_is_configured(
    cli, good: str, tmp_path: Path
) -> None:
    assert "plans" not in cli("explain", good).out
    (tmp_path / "good.yaml").write_text(GOOD + "planner: {model: big}\n")
    assert "plans" in cli("explain", good).out


def test_code_without_a_goal_is_labelled_as_code(cli, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "version: 1\nname: c\nnodes:\n  a: {code: '1'}\n  b: {goal: Count, code: a, with: {a: '${nodes.a.output}'}}\n"
    )
    out = cli("explain", "c.yaml").out
    assert "runs code" in out
    assert "Count" in out


def test_explain_counts_the_calls_of_planners_that_are_compared(cli, good: str, tmp_path: Path) -> None:
    text = AUTO.replace("planner: {", "planner: {agree: 2, repairs: 1, ")
    (tmp_path / "two.yaml").write_text(text)
    out = cli("explain", "two.yaml").out
    assert "2 to 6 for the plan: 2 of at most 3 must be the same (plain, backwards, parts)" in " ".join(out.split())
    assert json.loads(cli("explain", "two.yaml", "--json").out)["planner_calls"] == [2, 6]


def test_explain_says_who_will_plan(cli, good: str) -> None:
    out = cli("explain", "auto.yaml").out
    for part in ("written at run time by big", "at most 7", "nodes that write", "db (sql, read)", "no caps"):
        assert part in out


def test_a_file_can_be_drawn_before_it_runs(cli, good: str, tmp_path: Path) -> None:
    assert "n0 --> n1" in cli("graph", good).out
    assert cli("graph", good, "-f", "svg", "-o", "g.svg").out == ""
    assert (tmp_path / "g.svg").read_text().startswith("<svg ")
    assert "at most 7 nodes" in cli("graph", "auto.yaml").out


def test_the_schema_is_a_json_schema(cli, tmp_path: Path) -> None:
    assert json.loads(cli("schema").out)["properties"]["version"]
    assert cli("schema", "-o", "s.json").code == 0
    assert json.loads((tmp_path / "s.json").read_text())


def test_writing_to_a_place_that_is_not_there_is_a_message(cli) -> None:
    ran = cli("schema", "-o", "none/s.json")
    assert ran.code == 2
    assert ran.err.startswith("none/s.json: ")


def test_a_port_that_is_taken_is_a_message(cli, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("rehearsal: 1\nrules: [{text: hi}]\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = cli("rehearse", "s.yaml", "--serve", "--port", str(port))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"command line: --port: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_script_is_checked_and_listed(cli, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "rehearsal: 1\nrules:\n"
        "  - {when: {role: worker, node: 'row*', attempt: [1, 2]}, times: 1, status: 429, retry_after: 2}\n"
        "  - {when: {node: x}, tool_calls: [{name: db.query, args: {sql: s}}]}\n"
        "  - {refuse: no}\n  - {json: {a: 1}, delay: 2s, cut: true}\n  - {text: bye}\n"
    )
    ran = cli("rehearse", "s.yaml")
    assert ran.code == 0
    for part in (
        "role worker, node row*, attempt [1, 2], once",
        "HTTP 429, Retry-After 2",
        'call db.query {"sql": "s"}',
        "refuse: no",
        'after 2.00s cut {"a": 1}',
        "any request",
        "s.yaml: ok, 5 rules",
    ):
        assert part in ran.out


def test_a_bad_script_exits_2(cli, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("rehearsal: 1\nrules:\n  - {txt: hi}\n")
    ran = cli("rehearse", "s.yaml")
    assert ran.code == 2
    assert ran.err.startswith("s.yaml:3:")


def test_init_writes_a_project_that_runs_without_a_key(cli, tmp_path: Path) -> None:
    made = cli("init", "project")
    assert made.code == 0
    assert "planloom run workflow.yaml --rehearsal rehearsal.yaml" in made.out
    assert (tmp_path / "project" / ".gitignore").read_text().splitlines()[0] == ".planloom/"
    workflow = (tmp_path / "project" / "workflow.yaml").read_text()
    assert workflow.startswith("# yaml-language-server: $schema=./workflow.schema.json\n")
    ran = cli("run", "project/workflow.yaml", "--rehearsal", "project/rehearsal.yaml", "--json")
    result = json.loads(ran.out)
    assert (ran.code, result["status"]) == (0, "done")
    assert result["output"]["words_after"] <= 20
    assert [attempt["rung"] for attempt in result["nodes"]["summary"]["attempts"]] == ["mini", "mini", "big"]


def test_init_overwrites_only_when_told(cli, tmp_path: Path) -> None:
    (tmp_path / "my_tools.py").write_text("mine")
    ran = cli("init")
    assert ran.code == 2
    assert "already there: my_tools.py" in ran.err
    assert [file.name for file in tmp_path.iterdir()] == ["my_tools.py"]
    assert cli("init", "--force").code == 0
    assert (tmp_path / "my_tools.py").read_text() != "mine"


def test_init_into_a_file_is_a_message(cli, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    ran = cli("init", "f")
    assert (ran.code, ran.err) == (2, "f: expected a folder, found a file\n")


LITERALS = """\
version: 1
name: literals
tools:
  web: {http: {base_url: "https://api.example.com", allow: ["GET /v1/*", "POST /v1/orders"]}}
  db: {sql: "sqlite:///absent.db"}
  papers: {files: ./nowhere}
nodes:
  elsewhere: {tool: web.get, with: {url: "https://elsewhere.example.com/"}}
  posted: {tool: web.request, with: {method: POST, url: /v1/customers}}
  later: {tool: web.get, with: {url: "${nodes.fine.output.url}"}}
  fine: {tool: web.get, with: {url: /v1/items, query: {a: "${nodes.posted.output}"}}}
  drop: {tool: db.query, with: {sql: "DROP TABLE t"}}
  torn: {tool: db.query, with: {sql: "SELECT FROM WHERE"}}
  typo: {code: "totl + 1", with: {total: 1}}
"""


def test_literals_that_a_tool_would_refuse_are_found_before_anything_runs(cli, tmp_path: Path) -> None:
    (tmp_path / "literals.yaml").write_text(LITERALS)
    ran = cli("validate", "literals.yaml")
    assert ran.code == 2
    told = {line.split(": ")[1].split(".")[1]: line for line in ran.err.splitlines() if ": nodes." in line}
    assert sorted(told) == ["drop", "elsewhere", "posted", "torn", "typo"]
    assert told["drop"].startswith("literals.yaml:12:")
    assert "only reads" in told["drop"]
    assert "allowed: GET https://api.example.com/v1/*" in told["elsewhere"]
    assert "unknown name 'totl'; the code is given: inputs, total" in told["typo"]


def test_a_file_that_a_tool_needs_and_is_not_there_is_a_warning(cli, tmp_path: Path) -> None:
    head = LITERALS.partition("nodes:")[0]
    (tmp_path / "absent.yaml").write_text(f"{head}nodes:\n  one: {{code: '1'}}\n")
    ran = cli("validate", "absent.yaml")
    assert (ran.code, ran.out) == (0, "absent.yaml: ok\n")
    warned = [line for line in ran.err.splitlines() if "warning: " in line]
    assert ["tools.db.sql" in line for line in warned] == [True, False]
    assert "absent.db is not there" in warned[0]
    assert "tools.papers.files" in warned[1]


STARTS = """\
version: 1
name: starts
inputs: {id: {type: string, default: a}}
models: {mini: {model: "openai:gpt-5-mini"}}
tools:
  web:
    http: {base_url: "https://api.example.com/v1", allow: [GET /users/*, GET https://*.cdn.example.com/pictures/*]}
  db: {sql: "sqlite:///absent.db"}
  duck: {sql: "duckdb:*.csv"}
nodes:
"""
REFUSED_STARTS = {
    "host": ("tool: web.get, with: {url: 'https://evil.example/users/${inputs.id}'}", "with.url", "is not allowed"),
    "scheme": ("tool: web.get, with: {url: 'http://api.example.com/v1/users/${inputs.id}'}", "with.url", "not allowed"),
    "no http": ("tool: web.get, with: {url: 'ftp://api.example.com/${inputs.id}'}", "with.url", "expected an http"),
    "no web": ("tool: web.get, with: {url: 'file:${inputs.id}'}", "with.url", "expected an http or https URL"),
    "user": ("tool: web.get, with: {url: 'https://me@api.example.com/v1/users/${inputs.id}'}", "with.url", "user or"),
    "port": ("tool: web.get, with: {url: 'https://evil.example:${inputs.id}'}", "with.url", "is not allowed"),
    "path": ("tool: web.get, with: {url: '/groups/${inputs.id}'}", "with.url", "v1/groups/... is not allowed"),
    "climbing": ("tool: web.get, with: {url: '/users/%252e%252e/${inputs.id}'}", "with.url", "`..`"),
    "query": ("tool: web.get, with: {url: '/groups?id=${inputs.id}'}", "with.url", "is not allowed"),
    "granted": (
        "goal: g, tools: [{tool: web.get, args: {url: 'https://evil.example/${inputs.id}'}}]",
        "tools[0].args.url",
        "is not allowed",
    ),
    "granted type": ("goal: g, tools: [{tool: web.get, args: {query: 3}}]", "tools[0].args.query", "found 3"),
    "no value": ("tool: db.query, with: {sql: 'SELECT :id'}", "with.sql", "no value for :id; give it under params"),
    "other value": (
        "tool: duck.query, with: {sql: 'SELECT a FROM t WHERE b > :from_day', params: {fromday: '${inputs.id}'}}",
        "with.sql",
        "no value for :from_day; give it under params; did you mean 'fromday'?",
    ),
}
FINE_STARTS = [
    "tool: web.get, with: {url: '${inputs.id}'}",
    "tool: web.get, with: {url: '${inputs.id}/users/3'}",
    "tool: web.get, with: {url: 'https://${inputs.id}'}",
    "tool: web.get, with: {url: 'https://eu.${inputs.id}'}",
    "tool: web.get, with: {url: 'https://eu.cdn.example.com/pic${inputs.id}'}",
    "tool: web.get, with: {url: 'HTTPS://API.example.com:443/v1/users/${inputs.id}?a=b#c'}",
    "tool: web.get, with: {url: 'https://api.example.com/v1/us${inputs.id}'}",
    "tool: web.get, with: {url: '/users/${inputs.id}/mail'}",
    "tool: web.get, with: {url: 'users/${inputs.id}'}",
    "tool: web.get, with: {url: '/users/all?id=${inputs.id}'}",
    "goal: g, tools: [{tool: web.get, args: {query: {a: '${inputs.id}'}}}, web]",
    "goal: g, tools: [{tool: db.query, args: {sql: 'SELECT :id'}}]",
    "tool: db.query, with: {sql: 'SELECT :id', params: '${inputs.id}'}",
    "tool: db.query, with: {sql: 'SELECT :id, 1+:n', params: {id: '${inputs.id}', n: 2}}",
    "tool: db.query, with: {sql: \"SELECT ':id' -- :id\"}",
    "tool: db.query, with: {sql: 'SELECT ${inputs.id}'}",
    "tool: duck.query, with: {sql: 'SELECT x[1:n], x::int FROM t'}",
    "tool: duck.query, with: {sql: 'SELECT {a:b} FROM t'}",
]


@pytest.mark.parametrize("case", REFUSED_STARTS)
def test_what_no_reference_can_put_right_is_found_before_anything_runs(cli, tmp_path: Path, case: str) -> None:
    node, field, says = REFUSED_STARTS[case]
    (tmp_path / "starts.yaml").write_text(f"{STARTS}  one: {{{node}}}\n")
    ran = cli("validate", "starts.yaml")
    assert ran.code == 2
    (line,) = ran.err.splitlines()
    assert line.startswith("starts.yaml:11:")
    assert f": nodes.one.{field}: " in line
    assert says in line


def test_what_a_reference_may_still_put_right_is_let_through(cli, tmp_path: Path) -> None:
    nodes = "".join(f"  n{number}: {{{node}}}\n" for number, node in enumerate(FINE_STARTS))
    (tmp_path / "starts.yaml").write_text(STARTS + nodes)
    ran = cli("validate", "starts.yaml")
    assert (ran.code, ran.out) == (0, "starts.yaml: ok\n"), ran.err


SCHEMAS = """\
version: 1
name: schemas
inputs: {paper: {type: object, default: {}, properties: {year: {tpye: integer}}}}
models: {mini: {model: "openai:gpt-5-mini"}}
nodes:
"""
ODD_SCHEMAS = {
    "{tpye: string}": ("tpye", 'unknown keyword "tpye", which checks nothing; did you mean "type"?'),
    "{type: object, requried: [a]}": ("requried", 'did you mean "required"?'),
    "{type: array, items: {type: string, minlength: 3}}": ("items.minlength", 'did you mean "minLength"?'),
    "{anyOf: [{typ: string}, {type: 'null'}]}": ("anyOf[0].typ", 'did you mean "type"?'),
    "{type: string, nullable: true}": ("nullable", 'unknown keyword "nullable", which checks nothing'),
    "{headline: string}": ("headline", "a property stands under properties: {headline: {type: ...}}"),
    "{score: {type: number}}": ("score", "a property stands under properties"),
    "{type: object, properties: {title: {}}, required: [titel]}": ("required[0]", 'did you mean "title"?'),
    "{properties: {a: {}}, required: [zz], additionalProperties: false}": ("required[0]", 'no property "zz"'),
}
BROKEN_SCHEMAS = {
    "{type: strng}": ("type", 'did you mean "string"?'),
    "{properties: {a: string}}": ("properties.a", "write {type: string}"),
    "{properties: {a: {required: true}}}": ("properties.a.required", "in one list beside properties"),
}
FINE_SCHEMAS = [
    "{type: object, properties: {type: {type: string}, tpye: {const: {tpye: 1}}}, required: [type, other]}",
    "{$defs: {one: {enum: [{tpye: 1}]}}, allOf: [{$ref: '#/$defs/one'}], x-shown: as a table}",
    "{type: object, patternProperties: {'^a': {type: string}}, additionalProperties: {type: string, example: b}}",
    "{oneOf: [true, false], default: {tpye: 1}, examples: [{tpye: 1}], title: string}",
]


@pytest.mark.parametrize("schema", [*ODD_SCHEMAS, *BROKEN_SCHEMAS])
def test_a_slip_in_a_json_schema_is_told_with_its_place_and_once(cli, tmp_path: Path, schema: str) -> None:
    field, says = {**ODD_SCHEMAS, **BROKEN_SCHEMAS}[schema]
    (tmp_path / "schemas.yaml").write_text(f"{SCHEMAS}  one: {{goal: g, output: {schema}}}\n")
    ran = cli("validate", "schemas.yaml")
    assert ran.code == (0 if schema in ODD_SCHEMAS else 2)
    (line,) = [line for line in ran.err.splitlines() if f": nodes.one.output.{field}: " in line]
    assert line.startswith("schemas.yaml:6:")
    assert says in line
    assert ("inputs.paper.properties.year.tpye: warning: " in ran.err) == (schema in ODD_SCHEMAS)


def test_a_json_schema_without_a_slip_is_let_through(cli, tmp_path: Path) -> None:
    nodes = "".join(f"  n{number}: {{goal: g, output: {schema}}}\n" for number, schema in enumerate(FINE_SCHEMAS))
    (tmp_path / "schemas.yaml").write_text(SCHEMAS.replace("tpye", "type") + nodes)
    assert cli("validate", "schemas.yaml").err == ""
