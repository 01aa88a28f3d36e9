"""Before a tool is called: may an untrusted value steer this call?"""

import json
from collections.abc import Set as AbstractSet

from planloom.core.errors import NodeError, ToolError
from planloom.core.json import JsonObject, digest
from planloom.core.plan import Node
from planloom.graphs.context import Run
from planloom.graphs.taint import brings_in, flows
from planloom.tools.base import Tool

_SHOWN_CHARS = 4000


class FlowHeldError(NodeError):
    """A call waits for a human; `bound_to` is the digest of node, tool and arguments, `shown` is these."""

    def __init__(self, bound_to: str, message: str, shown: JsonObject) -> None:
        self.bound_to, self.shown = bound_to, shown
        super().__init__(message)


class Gate:
    """Watches over the calls of one attempt.

    Args:
        run: The run.
        node: The node, or the element of a map.
        tainted: An earlier attempt left evidence, which may hold what its tools returned.
    """

    def __init__(self, run: Run, node: Node, *, tainted: bool = False) -> None:
        labels = run.labels
        self._run, self._node = run, node
        self._has_read = bool(labels.read(node)) or (tainted and bool(labels.output(node.id)))
        by_hand = run.written_by_hand(node)
        found = [] if by_hand else [flow for flow in flows(node, labels, run.facts.tools) if not flow.free]
        self._fixed = {(flow.tool, flow.parameter) for flow in found}

    def was_read(self, tool: Tool) -> None:
        """Take note that a tool has answered."""
        self._has_read = self._has_read or brings_in(tool)

    def check(self, tool: Tool, args: JsonObject, free: AbstractSet[str]) -> None:
        """Let a call through, or not.

        Args:
            tool: What is called.
            args: All its arguments, filled in.
            free: The arguments that the worker chose.

        Raises:
            FlowHeldError: A human must approve exactly this call first.
            ToolError: The workflow refuses such calls.
        """
        risky = {name for name in tool.controls if (tool.name, name) in self._fixed}
        if self._has_read and tool.effect == "write":
            risky |= tool.controls & free
        if not risky or self._run.spec.flows == "allow":
            return
        bound_to = digest([self._node.id, tool.name, args])
        answer = self._run.view.approvals.get((self._node.id, bound_to))
        if answer is not None and answer.approved:
            return
        names = ", ".join(sorted(risky))
        if self._run.spec.flows == "refuse":
            told = f"untrusted text was read, so {names} may only come from the plan"
            raise ToolError(tool.name, told, permanent=True)
        shown = json.dumps(args, ensure_ascii=False)[:_SHOWN_CHARS]
        call: JsonObject = {"tool": tool.name, "args": args, "untrusted": [*sorted(risky)]}
        raise FlowHeldError(bound_to, f"{tool.name} would be called with {names} from untrusted text: {shown}", call)
