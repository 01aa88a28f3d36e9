from pathlib import Path

import pytest

from planloom.configs.spec import RungSpec
from planloom.core.errors import ConfigError
from planloom.models.script import Asked, Script, load_script, scripts_of
from planloom.models.stage import Stage, Unscripted


def asked(**over: object) -> Asked:
    base = {"role": "worker", "node": "draft", "attempt": 1, "model": "mini"}
    return Asked.model_validate({**base, **over})


def stage(*rules: dict[str, object]) -> Stage:
    return Stage(Script.model_validate({"rehearsal": 1, "rules": rules}))


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({}, True),
        ({"role": "worker", "node": "draft", "attempt": 1, "model": "mini"}, True),
        ({"role": "planner"}, False),
        ({"node": "dr*"}, True),
        ({"node": "row*"}, False),
        ({"attempt": [2, 3]}, False),
        ({"attempt": [1, 2]}, True),
        ({"model": "gpt-*"}, False),
        ({"contains": "quarter"}, True),
        ({"contains": "Quarter"}, False),
        ({"tool_results": 1}, True),
        ({"tool_results": 0}, False),
    ],
)
def test_a_rule_answers_what_all_its_conditions_fit(when: dict[str, object], matches: bool) -> None:
    request = asked(texts=("last quarter",), tool_results=("{}",))
    line = stage({"when": when, "text": "yes"}, {"text": "no"}).answer(request)
    assert line.text == ("yes" if matches else "no")


def test_a_node_id_with_brackets_matches_itself() -> None:
    assert stage({"when": {"node": "rows[3]"}, "text": "yes"}).answer(asked(node="rows[3]")).text == "yes"


def test_a_rule_used_up_leaves_the_answer_to_later_ones() -> None:
    play = stage({"text": "first", "times": 2}, {"text": "later"})
    assert [play.answer(asked()).text for _ in range(4)] == ["first", "first", "later", "later"]


def test_no_rule_names_who_asked() -> None:
    with pytest.raises(Unscripted, match="role 'worker', node 'draft', attempt 1, model 'mini', tool_results 0"):
        stage({"when": {"node": "other"}, "text": "x"}).answer(asked())


def test_holes_take_real_values_along() -> None:
    request = asked(
        user_texts=('# Goal\nsum\n# Inputs\n```json\n{"rows": [1, 2], "unit": "kg"}\n```', "and now?"),
        tool_results=('{"old": 1}', '{"total": {"kg": 3.5}, "rows": [{"id": "a"}]}'),
    )
    answer = {
        "whole": "{{tool_result}}",
        "number": "{{tool_result.total.kg}}",
        "item": "{{ tool_result.rows[0].id }}",
        "old": "{{tool_results[0].old}}",
        "input": "{{input.rows}}",
        "text": "node {{node}}, attempt {{attempt}}, {{input.unit}} of {{tool_result.total}}: {{last_user}}",
    }
    line = stage({"json": answer}).answer(request)
    assert line.text == (
        '{"whole": {"total": {"kg": 3.5}, "rows": [{"id": "a"}]}, "number": 3.5, "item": "a", "old": 1, '
        '"input": [1, 2], "text": "node draft, attempt 1, kg of {\\"kg\\": 3.5}: and now?"}'
    )


@pytest.mark.parametrize("hole", ["{{tool_result}}", "{{tool_result.a}}", "{{input.x}}", "{{nobody}}", "{{node.x}}"])
def test_a_hole_that_cannot_be_filled_is_named(hole: str) -> None:
    with pytest.raises(Unscripted, match="cannot fill"):
        stage({"text": f"see {hole}"}).answer(asked())


def test_tool_calls_are_sent_under_names_providers_accept() -> None:
    calls = [{"name": "files.read", "args": {"path": "{{node}}.txt"}}, {"name": "x", "raw": "{bad"}]
    assert stage({"tool_calls": calls}).answer(asked()).calls == (
        ("files__read", '{"path": "draft.txt"}'),
        ("x", "{bad"),
    )


def test_usage_follows_the_length_or_the_script() -> None:
    line = stage({"text": "x" * 40}).answer(asked(texts=("y" * 80,)))
    assert (line.input_tokens, line.output_tokens) == (20, 10)
    line = stage({"text": "x", "usage": {"input": 7, "output": 9}}).answer(asked())
    assert (line.input_tokens, line.output_tokens) == (7, 9)


SCRIPT = """\
rehearsal: 1
rules:
  - when: {role: worker, attempt: [1, 2]}
    delay: 20ms
    status: 429
    retry_after: 1
    times: 1
  - json: null
  - text: hi
    stream: {chunks: 3, over: 1s}
"""


def test_a_script_is_read_from_yaml(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(SCRIPT)
    script = load_script(file)
    assert script.rules[0].delay == 0.02
    assert script.rules[0].when.attempt == (1, 2)
    assert script.rules[1].has_json
    assert script.rules[2].stream.over == 1.0


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("status: 429", "http_status: 429", 5, "http_status"),
        ("retry_after: 1", "retry_after: [1]", 6, "retry_after"),
        ("role: worker", "role: boss", 3, "boss"),
        ("  - json: null", "  - times: 3", 8, "expected one of"),
        ("rehearsal: 1", "rehearsal: 2", 1, "1"),
    ],
)
def test_a_broken_script_names_line_and_field(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(SCRIPT.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_script(file)
    assert caught.value.problems[0].line == line
    assert words in str(caught.value)


def test_rungs_with_the_same_file_share_one_script(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SCRIPT)
    models = {
        "big": RungSpec(model="rehearsal:big", script="s.yaml"),
        "mini": RungSpec(model="rehearsal:mini", script="s.yaml"),
        "real": RungSpec(model="openai:gpt-5"),
    }
    found = scripts_of(models, tmp_path)
    assert set(found) == {"big", "mini"}
    assert found["big"] is found["mini"]
