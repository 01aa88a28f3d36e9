"""`planloom memory` lists, finds, exports, imports and forgets what runs have kept."""

import asyncio
import json

import pytest

from planloom.core.memory import Memory, Origin, identify
from planloom.state.journal import Journal
from planloom.state.memories import Memories

WORKFLOW = """
version: 1
name: shop
inputs: {article: {type: string}, eur: {type: integer}}
memory: {}
nodes:
  price: {code: "f'{article} costs {eur} EUR'", with: {article: "${inputs.article}", eur: "${inputs.eur}"},
          remember: "price of a ${inputs.article}"}
"""


@pytest.fixture
def ran(cli, tmp_path) -> None:
    (tmp_path / "w.yaml").write_text(WORKFLOW)
    for article, eur in [("lamp", 30), ("chair", 80), ("lamp", 35)]:
        assert cli("run", "w.yaml", "-i", f"article={article}", "-i", f"eur={eur}").code == 0


@pytest.fixture
def kept(cli, tmp_path) -> None:
    """Keep what `ran` keeps, without running anything."""

    async def keep() -> None:
        async with Journal(str(tmp_path / ".planloom" / "planloom.db")) as journal:
            for at, (article, eur) in enumerate([("chair", 80), ("lamp", 35)], 1):
                subject, told = f"price of a {article}", f"{article} costs {eur} EUR"
                origin = Origin(run_id="r", workflow="shop", node_id="price", input_digest="d")
                entry = Memory(
                    id=identify("fact", subject, trusted=True),
                    kind="fact",
                    subject=subject,
                    text=told,
                    value=told,
                    origin=origin,
                    at=at,
                )
                await Memories(journal, "shop").keep(entry, max_entries=9)

    asyncio.run(keep())


def test_entries_are_listed_found_exported_and_forgotten(cli, ran, tmp_path) -> None:
    lamp, chair = json.loads(cli("memory", "list", "--json").out)
    assert [(item["subject"], item["value"]) for item in (lamp, chair)] == [
        ("price of a lamp", "lamp costs 35 EUR"),
        ("price of a chair", "chair costs 80 EUR"),
    ]
    assert (lamp["namespace"], lamp["kind"], lamp["untrusted"], lamp["origin"]["node_id"]) == (
        "shop",
        "fact",
        [],
        "price",
    )
    assert f"{chair['id']}  " in (found := cli("memory", "search", "what do chairs cost?").out)
    assert "price of a chair: chair costs 80 EUR" in found
    assert cli("memory", "list", "--scope", "other").out == ""
    assert cli("memory", "list", "--tenant", "other").out == ""
    assert cli("gc", "--older-than", "0s").code == 0
    assert cli("show", "last").code != 0
    assert cli("memory", "export", "-o", str(tmp_path / "m.jsonl")).code == 0
    assert cli("memory", "export", "named.jsonl").code == 0
    assert (tmp_path / "named.jsonl").read_text() == (tmp_path / "m.jsonl").read_text()
    twice = cli("memory", "export", "a.jsonl", "-o", "b.jsonl")
    assert (twice.code, "name one file, as FILE or with --output" in twice.err) == (2, True)
    exported = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    of_here = {"vector_model": "", "found_by": []}
    assert [{**entry, **of_here} for entry in exported] == [lamp, chair]
    assert cli("memory", "forget", chair["id"]).out.endswith("forgot 1 entry\n")
    assert cli("memory", "forget", "--source", "web.get").out == "forgot 0 entries\n"
    assert cli("memory", "forget", "--older-than", "1h").out == "forgot 0 entries\n"
    assert cli("memory", "forget", "--run", lamp["origin"]["run_id"]).out.endswith("forgot 1 entry\n")
    assert cli("memory", "list").out == ""


def test_nothing_is_forgotten_without_a_word_of_what(cli, ran) -> None:
    refused = cli("memory", "forget")
    assert (refused.code, refused.out) == (2, "")
    assert "--all" in refused.err
    assert cli("memory", "forget", "--older-than", "soon").err.startswith("command line: --older-than: expected")
    assert cli("memory", "forget", "--all").out.endswith("forgot 2 entries\n")


def test_a_search_with_a_model_says_how_each_entry_was_found(cli, kept, tmp_path) -> None:
    (tmp_path / "script.yaml").write_text("rehearsal: 1\nrules: []\n")
    rehearsed = ("--embed", "openai:any", "--rehearsal", "script.yaml", "--json")
    found = json.loads(cli("memory", "search", "lampshades", *rehearsed).out)
    assert [(item["subject"], item["found_by"]) for item in found] == [
        ("price of a lamp", ["vectors"]),
    ]
    assert cli("memory", "search", "lampshades").out == ""
    assert "  found by words and vectors\n" in cli("memory", "search", "lamp", *rehearsed[:-1]).out
    assert "  found by words\n" in cli("memory", "search", "lamp").out


def test_a_search_asks_the_model_of_a_workflow_where_the_workflow_keeps(cli, kept, tmp_path) -> None:
    (tmp_path / "script.yaml").write_text("rehearsal: 1\nrules: []\n")
    models = 'models: {mini: {model: "openai:m"}, embed: {model: "rehearsal:e", api: embeddings, script: script.yaml}}'
    with_model = WORKFLOW.replace("memory: {}", f"memory: {{embeddings: embed}}\n{models}")
    (tmp_path / "v.yaml").write_text(with_model)
    assert "found by vectors" in cli("memory", "search", "lampshade", "-w", "v.yaml").out
    (tmp_path / "v.yaml").write_text(with_model.replace("name: shop", "name: other"))
    assert cli("memory", "search", "lampshade", "-w", "v.yaml").out == ""


def test_a_search_whose_model_fails_finds_by_words_and_says_so(cli, kept, tmp_path) -> None:
    (tmp_path / "script.yaml").write_text("rehearsal: 1\nrules: [{when: {role: embedding}, status: 401}]\n")
    found = cli("memory", "search", "lamp", "--embed", "openai:any", "--rehearsal", "script.yaml")
    assert found.code == 0
    assert "price of a lamp" in found.out
    assert found.err.startswith("found by words alone: ")
    assert "401" in found.err
    refused = cli("memory", "search", "lamp", "--rehearsal", "script.yaml")
    assert (refused.code, refused.err) == (2, "command line: --embed: expected a model to ask, found none\n")


def test_what_was_exported_is_imported_once_and_only_for_the_tenant_that_is_named(cli, kept, tmp_path) -> None:
    there = ("--journal", str(tmp_path / "there.db"))
    cli("memory", "export", "-o", "m.jsonl")
    taken = [cli("memory", "import", "m.jsonl", "--tenant", "acme", *there).out[:14] for _ in range(2)]
    assert taken == ["took in 2 of 2", "took in 0 of 2"]
    cli("memory", "export", "--tenant", "acme", "-o", "again.jsonl", *there)
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "m.jsonl").read_text()
    assert cli("memory", "list", *there).out == ""
    cli("memory", "import", "m.jsonl", "--scope", "warehouse", *there)
    assert {item["namespace"] for item in json.loads(cli("memory", "list", "--json", *there).out)} == {"warehouse"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "rumour"}, "m.jsonl:2:1: kind: Input should be 'fact' or 'result'"),
        ({"tenant": "acme"}, "m.jsonl:2:1: tenant: Extra inputs are not permitted"),
        ({"id": "../" * 5}, "m.jsonl:2:1: id: String should match pattern"),
        ({"origin": {}}, "m.jsonl:2:1: origin.run_id: Field required"),
    ],
    ids=lambda item: next(iter(item)) if isinstance(item, dict) else "",
)
def test_a_file_with_a_line_that_is_no_entry_is_refused_whole(cli, kept, tmp_path, change, message) -> None:
    cli("memory", "export", "-o", "m.jsonl")
    first, second = (tmp_path / "m.jsonl").read_text().splitlines()
    (tmp_path / "m.jsonl").write_text(f"{first}\n{json.dumps({**json.loads(second), **change})}\n")
    refused = cli("memory", "import", "m.jsonl", "--tenant", "other")
    assert refused.code == 2
    assert refused.err.startswith(message)
    assert cli("memory", "list", "--tenant", "other").out == ""


LEARNS = """
version: 1
name: learns
models:
  mini: {model: "rehearsal:mini", script: s.yaml, price: {input: 1, output: 1}}
  big: {model: "rehearsal:big", script: s.yaml, price: {input: 20, output: 20}}
memory: {first_rung: true}
nodes:
  hard: {goal: Hard, checks: [{regex: right}]}
"""


def test_show_and_explain_say_what_past_runs_say_of_the_first_rung(cli, tmp_path) -> None:
    (tmp_path / "s.yaml").write_text("rehearsal: 1\nrules: [{text: right}]\n")
    (tmp_path / "w.yaml").write_text(LEARNS)
    assert "starts" not in cli("explain", "w.yaml").out
    for _ in range(2):
        assert cli("run", "w.yaml").code == 0
    assert "starts  hard on mini (mini: 2 of 2 alike succeeded)" in cli("explain", "w.yaml").out
    assert json.loads(cli("explain", "w.yaml", "--json").out)["starts"] == {
        "hard": "on mini (mini: 2 of 2 alike succeeded)"
    }
    assert "mini: 1 of 1 alike succeeded" in cli("show", "last").out


def test_a_search_that_finds_nothing_says_so(cli, tmp_path) -> None:
    (tmp_path / "w.yaml").write_text("version: 1\nname: one\nnodes: {a: {code: '1'}}\n")
    assert cli("run", "w.yaml").code == 0
    found = cli("memory", "search", "anything")
    assert (found.code, found.out, found.err) == (0, "", "nothing is kept that fits\n")
