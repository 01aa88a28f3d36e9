"""A node as people and planners write it, and its way into the plan."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from planloom.configs.agree import AgreeSpec, OutputPath, agree_json
from planloom.configs.agree import VoiceSpec as VoiceSpec
from planloom.configs.panel import MemberSpec as MemberSpec
from planloom.configs.panel import ModeratorSpec as ModeratorSpec
from planloom.configs.panel import PanelSpec, panel_json
from planloom.configs.part import Part
from planloom.configs.units import Seconds, Words
from planloom.core.check import Check, CodeCheck, ExprCheck, FunctionCheck, JudgeCheck, RegexCheck, TextCheck
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Grant, Kind, Node, NodeId, ToolName
from planloom.quality.catalogue import TextName

ID_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
FunctionRef = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"),
    Words("a Python function as package.module:function", "`module:function`"),
]
"""A Python function, `package.module:function`."""

Variable = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z_]\w{0,63}$"),
    Words("a name (a letter or _, then letters, digits or _; at most 64)", "variable"),
]
"""A name that expressions and code can read."""


class CheckSpec(Part):
    """One check: exactly one of `expr`, `regex`, `text`, `code`, `ref`, `agree`, `judge`."""

    expr: str | None = None
    """Expression over `output`, the names under `with`, and `inputs`: `len(output.title) < 80`."""
    message: str = ""
    """What to tell the worker when `expr` fails."""
    regex: str | None = None
    """RE2 pattern that the text at `path` must contain."""
    text: TextName | None = None
    """Built-in check of a text answer against the goal and the `with` values, such as `arithmetic`: docs/quality.md."""
    path: OutputPath = "output"
    """For `regex` and `text`: where the text is."""
    code: str | None = None
    """Python for the sandbox, with the same names as `expr`; a failing `assert` is the evidence."""
    load: OutputPath | None = None
    """For `code`: source code in the output, such as `output.source`. It runs in a sandbox of its own, and `code` may
    use its functions and classes by name."""
    ref: FunctionRef | None = None
    """Python `package.module:function(output, **with)`; it returns true, or a text saying what is wrong."""
    args: dict[str, JsonValue] = Field(default={})
    """For `ref`: more keyword arguments."""
    agree: AgreeSpec | None = None
    """Independent samples must agree."""
    judge: str | None = None
    """Rubric for a judging model; the last resort."""
    model: str | None = None
    """For `judge`: the rung that judges; left out, the last of the ladder."""

    @model_validator(mode="after")
    def _one_kind(self) -> "CheckSpec":
        kinds = [k for k in ("expr", "regex", "text", "code", "ref", "agree", "judge") if getattr(self, k) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none"
            raise ValueError(f"expected exactly one of expr, regex, text, code, ref, agree, judge; found {found}")
        return self

    def to_check(self) -> Check | None:
        """Return the check; `None` for `agree`, which belongs to the node."""
        if self.expr is not None:
            return ExprCheck(expr=self.expr, message=self.message)
        if self.regex is not None:
            return RegexCheck(pattern=self.regex, path=self.path)
        if self.text is not None:
            return TextCheck(text=self.text, path=self.path)
        if self.code is not None:
            return CodeCheck(code=self.code, load=self.load)
        if self.ref is not None:
            return FunctionCheck(ref=self.ref, args=self.args)
        if self.judge is not None:
            return JudgeCheck(judge=self.judge, model=self.model)
        return None


class GrantSpec(Part):
    """A grant with bounds."""

    tool: str = Field(min_length=1)
    """Tool source or operation: `db`, `files.read`."""
    args: dict[str, JsonValue] = Field(default={})
    """Arguments fixed here; the model cannot change them. They may hold `${...}` references."""
    max_calls: int | None = Field(default=None, ge=1)
    """Calls in one attempt at most."""


class NodeSpec(Part):
    """One node. It asks a model (`goal`), or several (`panel`), calls a tool (`tool`) or runs code (`code`)."""

    goal: str = ""
    """What to achieve, for a worker that sees nothing else; `${...}` is filled in. Beside `tool` or `code`, a label."""
    with_: dict[Variable, JsonValue] = Field(default={}, validation_alias="with", serialization_alias="with")
    """Named inputs: literals and `${inputs.x}`, `${nodes.ID.output.PATH}`. Edges are derived from these."""
    needs: tuple[str, ...] = ()
    """Nodes that must be done first although no data flows."""
    when: str | None = None
    """Expression over `inputs` and `nodes`; the node is skipped when it is false."""
    on_skip: Literal["skip", "null"] = "skip"
    """When this node is skipped, its dependents are skipped too, or read null."""
    map: str | list[JsonValue] | None = None
    """List, or reference to one: the node runs once per element, with `${item}` and `${index}`."""
    tools: tuple[str | GrantSpec, ...] = ()
    """What the worker may call: tool sources or operations, nothing else."""
    output: dict[str, JsonValue] | None = None
    """JSON Schema of the result; left out, a worker returns text."""
    checks: tuple[CheckSpec, ...] = ()
    """What must hold before the output counts."""
    effort: Literal["low", "medium", "high"] = "medium"
    """Difficulty as the planner sees it: `high` starts one rung up the ladder."""
    effect: Literal["pure", "read", "write"] = "pure"
    """What the node does to the world; a node granted a `write` tool is a `write` node in any case."""
    tool: str | None = None
    """Operation to call with the `with` values; no model is asked."""
    code: str | None = None
    """Python for the sandbox; `with` names are variables, `result` or the last expression is the output."""
    panel: PanelSpec | None = None
    """Several members work at the goal together; none of their tools may write."""
    model: str | None = None
    """First rung by name."""
    max_calls: int = Field(default=12, ge=1, le=100)
    """Model calls of one attempt at most; a panel's default is twice what its rounds take."""
    timeout: Seconds | None = None
    """Seconds for one attempt."""
    budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """US dollars for all attempts of this node."""
    approve: bool = False
    """Hold the node until a human has approved it."""
    recall: bool | Annotated[int, Field(ge=1, le=50)] = False
    """Show the worker what earlier runs remembered and fits its goal and inputs: so many entries at most, or `true` for
    as many as `memory` says."""
    remember: str = Field(default="", max_length=1000)
    """Subject under which later runs can recall the output, such as `price of ${inputs.sku}`; see `memory`."""

    @model_validator(mode="after")
    def _one_kind(self) -> "NodeSpec":
        kinds = [kind for kind in ("tool", "code", "panel") if getattr(self, kind) is not None]
        if len(kinds) > 1:
            raise ValueError(f"expected at most one of tool, code, panel; found {' and '.join(kinds)}")
        if self.tool is None and self.code is None and not self.goal.strip():
            raise ValueError("expected a goal (for a model), a tool or code; found none")
        if len([check for check in self.checks if check.agree]) > 1:
            raise ValueError("expected at most one agree check")
        return self

    @property
    def kind(self) -> Kind:
        """What the node is, by the key it has."""
        if self.panel is not None:
            return "panel"
        return "tool" if self.tool is not None else "code" if self.code is not None else "worker"

    @property
    def _most_calls(self) -> int:
        if self.panel is None or "max_calls" in self.model_fields_set:
            return self.max_calls
        return 2 * self.panel.rounds * (len(self.panel.members) + 1)

    def to_node(self, node_id: str) -> Node:
        """Return the plan's node of that id."""
        agree = next((check.agree for check in self.checks if check.agree), None)
        return Node(
            id=NodeId(node_id),
            goal=self.goal,
            kind=self.kind,
            inputs=self.with_,
            needs=tuple(NodeId(need) for need in self.needs),
            when=self.when,
            map=self.map,
            on_skip=self.on_skip,
            tools=tuple(_grant(grant) for grant in self.tools),
            output=self.output,
            checks=tuple(check for spec in self.checks if (check := spec.to_check())),
            agree=agree.to_agree(self.effort) if agree else None,
            effort=self.effort,
            effect=self.effect,
            tool=ToolName(self.tool) if self.tool is not None else None,
            code=self.code,
            panel=self.panel.to_panel() if self.panel is not None else None,
            model=self.model,
            max_calls=self._most_calls,
            timeout_s=self.timeout,
            max_cost_usd=self.budget_usd,
            approve=self.approve,
            recall=self.recall,
            remember=self.remember,
        )


def _grant(spec: str | GrantSpec) -> Grant:
    if isinstance(spec, str):
        return Grant(tool=ToolName(spec))
    return Grant(tool=ToolName(spec.tool), args=spec.args, max_calls=spec.max_calls)


def to_nodes(specs: Mapping[str, NodeSpec]) -> dict[NodeId, Node]:
    """Return the plan's nodes in the order they are written."""
    return {NodeId(node_id): spec.to_node(node_id) for node_id, spec in specs.items()}


_KEEP_EMPTY = ("output", "map")
"""Keys whose empty value says something: any result, no element."""


def node_json(node: Node) -> JsonObject:
    """Return a node as it would be written in YAML, with its `id`; what has its default is left out."""
    written: JsonObject = {
        "id": node.id,
        "goal": node.goal,
        "tool": node.tool,
        "code": node.code,
        "panel": panel_json(node.panel) if node.panel is not None else None,
        "with": dict(node.inputs),
        "needs": [*node.needs],
        "when": node.when,
        "on_skip": node.on_skip if node.on_skip != "skip" else None,
        "map": node.map,
        "tools": [_grant_json(grant) for grant in node.tools],
        "output": dict(node.output) if node.output is not None else None,
        "checks": [*(_check_json(check) for check in node.checks), *([agree_json(node.agree)] if node.agree else [])],
        "effort": node.effort if node.effort != "medium" else None,
        "effect": node.effect if node.effect != "pure" else None,
        "model": node.model,
        "timeout": node.timeout_s,
        "max_calls": node.max_calls if node.max_calls != 12 else None,
        "budget_usd": node.max_cost_usd,
        "approve": node.approve or None,
        "recall": node.recall or None,
        "remember": node.remember,
    }
    empty: tuple[Json, ...] = (None, "", [], {})
    return {
        key: value for key, value in written.items() if (key in _KEEP_EMPTY and value is not None) or value not in empty
    }


def _grant_json(grant: Grant) -> Json:
    if not grant.args and grant.max_calls is None:
        return grant.tool
    out: JsonObject = {"tool": grant.tool, "args": dict(grant.args)}
    return out if grant.max_calls is None else {**out, "max_calls": grant.max_calls}


def _check_json(check: Check) -> Json:
    fields: JsonObject = {key: value for key, value in asdict(check).items() if value not in (None, "", {})}
    return {"regex" if key == "pattern" else key: value for key, value in fields.items()}
