"""`planloom memory` lists, finds, exports and forgets what runs have kept."""

import json

import pytest

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
    assert cli("memory", "export", "-o", str(tmp_path / "m.jsonl")).code == 0
    assert [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()] == [lamp, chair]
    assert cli("memory", "forget", chair["id"]).out.endswith("forgot 1 entry\n")
    assert cli("memory", "forget", "--older-than", "1h").out == "forgot 0 entries\n"
    assert cli("memory", "forget", "--run", lamp["origin"]["run_id"]).out.endswith("forgot 1 entry\n")
    assert cli("memory", "list").out == ""


def test_nothing_is_forgotten_without_a_word_of_what(cli, ran) -> None:
    refused = cli("memory", "forget")
    assert (refused.code, refused.out) == (2, "")
    assert "--all" in refused.err
    assert cli("memory", "forget", "--older-than", "soon").err.startswith("command line: --older-than: expected")
    assert cli("memory", "forget", "--all").out.endswith("forgot 2 entries\n")
