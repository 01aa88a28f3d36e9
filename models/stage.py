"""Which rule answers a request, and its answer with everything filled in."""

import json
import re
from dataclasses import dataclass, replace

from planloom.core.json import Json, JsonObject
from planloom.models.base import wire_name
from planloom.models.script import Asked, Rule, Script
from planloom.models.text import extract_json, json_objects

_HOLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)((?:\.[\w-]+|\[-?\d+\])*)\s*\}\}")
_STEP = re.compile(r"\.([\w-]+)|\[(-?\d+)\]")


class Unscripted(Exception):
    """No rule answers the request, or its answer has a hole that cannot be filled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the scripted model says: text or refusal, and tool calls as (name, arguments as text)."""

    rule: Rule
    text: str
    calls: tuple[tuple[str, str], ...]
    input_tokens: int
    output_tokens: int
    capped: bool = False
    """The text stopped at the output cap that the request set."""

    def under(self, cap: int | None) -> "Line":
        """Return the line as a server sends it that honours the request's cap of output tokens, at 4 characters each.

        A rule that states its own usage is left as it is.
        """
        if cap is None or self.output_tokens <= cap or self.calls or self.rule.usage.output is not None:
            return self
        return replace(self, text=self.text[: cap * 4], output_tokens=cap, capped=True)


class Stage:
    """A script being played: it counts how often each rule was used."""

    def __init__(self, script: Script) -> None:
        self._rules = script.rules
        self._used = [0] * len(script.rules)

    def answer(self, asked: Asked) -> Line:
        """Return the first matching rule's answer.

        Raises:
            Unscripted: There is none, or a hole in it cannot be filled.
        """
        rule = self._take(asked)
        text = rule.refuse if rule.refuse is not None else rule.text or ""
        text = json.dumps(fill(rule.json_, asked), ensure_ascii=False) if rule.has_json else _text(text, asked)
        calls = tuple(
            (wire_name(call.name), call.raw if call.raw is not None else json.dumps(fill(dict(call.args), asked)))
            for call in rule.tool_calls
        )
        written = len(text) + sum(len(name) + len(args) for name, args in calls)
        read = sum(len(part) for part in asked.texts)
        return Line(
            rule=rule,
            text=text,
            calls=calls,
            input_tokens=_quarter(read) if rule.usage.input is None else rule.usage.input,
            output_tokens=_quarter(written) + rule.usage.reasoning if rule.usage.output is None else rule.usage.output,
        )

    def _take(self, asked: Asked) -> Rule:
        for index, rule in enumerate(self._rules):
            spent = rule.times is not None and self._used[index] >= rule.times
            if not spent and rule.when.matches(asked):
                self._used[index] += 1
                return rule
        who = f", member {asked.member!r}" if asked.member else ""
        when = f", round {asked.round}" if asked.round else ""
        raise Unscripted(
            f"the rehearsal script has no rule for role {asked.role!r}, node {asked.node!r}, attempt {asked.attempt}"
            f"{who}{when}, model {asked.model!r}, tool_results {len(asked.tool_results)}"
        )


def _quarter(characters: int) -> int:
    return max(1, -(-characters // 4))


def fill(value: Json, asked: Asked) -> Json:
    """Return `value` with its holes filled; a string that is one hole becomes the value found there.

    Raises:
        Unscripted: A hole cannot be filled.
    """
    if isinstance(value, str):
        whole = _HOLE.fullmatch(value.strip())
        return _look_up(whole, asked) if whole else _text(value, asked)
    if isinstance(value, list):
        return [fill(item, asked) for item in value]
    if isinstance(value, dict):
        return {_text(key, asked): fill(item, asked) for key, item in value.items()}
    return value


def _text(text: str, asked: Asked) -> str:
    def show(hole: "re.Match[str]") -> str:
        value = _look_up(hole, asked)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _HOLE.sub(show, text)


def _look_up(hole: "re.Match[str]", asked: Asked) -> Json:
    name, path = hole[1], hole[2]
    try:
        if name == "input":
            return _input(path, asked)
        return _walk(_named(name, asked, whole=not path), path)
    except (KeyError, IndexError, ValueError) as exc:
        raise Unscripted(f"the rehearsal script cannot fill {hole[0]}: {exc}") from exc


def _named(name: str, asked: Asked, *, whole: bool) -> Json:
    """Return what a name stands for; a text is parsed as JSON when a path goes into it."""
    plain: dict[str, Json] = {"role": asked.role, "node": asked.node, "attempt": asked.attempt, "model": asked.model}
    plain |= {"member": asked.member, "round": asked.round}
    if name in plain:
        return plain[name]
    if name == "claims":
        return _claims(asked)
    if name == "tool_results":
        return [_parsed(text) for text in asked.tool_results]
    texts = {"tool_result": asked.tool_results, "last_user": asked.user_texts}.get(name)
    if texts is None:
        known = "node, attempt, model, role, member, round, claims, last_user, tool_result, tool_results, input"
        raise ValueError(f"there is no such name; known are {known}")
    if not texts:
        raise ValueError("the dialogue holds none")
    # A bare `{{tool_result}}` keeps the text in texts, and gives the JSON value where a value is wanted.
    return _parsed(texts[-1]) if name == "tool_result" or not whole else texts[-1]


def _parsed(text: str) -> Json:
    try:
        return extract_json(text)
    except ValueError:
        return text


def _claims(asked: Asked) -> Json:
    """Return the claims on the board that the last user message shows, by id."""
    board = (asked.user_texts[-1] if asked.user_texts else "").partition("# Board, version")[2]
    listed = _parsed(board.partition("```json\n")[2].partition("\n```")[0])
    claims = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return {str(claim.get("id")): claim for claim in claims}


def _input(path: str, asked: Asked) -> Json:
    """Look a path up in the JSON objects that stand in the first user message."""
    objects: list[JsonObject] = json_objects(asked.user_texts[0]) if asked.user_texts else []
    for candidate in objects:
        try:
            return _walk(candidate, path)
        except (KeyError, IndexError, ValueError):
            continue
    raise ValueError("no JSON object in the first user message has it")


def _walk(value: Json, path: str) -> Json:
    for step in _STEP.finditer(path):
        if step[1] is not None:
            if not isinstance(value, dict) or step[1] not in value:
                raise KeyError(f"there is no {step[1]!r}")
            value = value[step[1]]
        else:
            if not isinstance(value, list):
                raise ValueError(f"expected a list at {step[0]}")
            value = value[int(step[2])]
    return value
