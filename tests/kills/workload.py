"""What the killed runs do: every way a node can go, with writes that a receiver outside counts."""

from planloom.core.json import Json, JsonObject

GATES = {"gate": True, "no": False}
"""Nodes that wait for a human, and the human's answer."""
PLAIN = "plain"
"""A node whose write takes no key and cannot be looked up: cut off, it waits for somebody who knows."""
CAP_USD = 2.0
"""Far more than a calm run takes; every call that a kill cuts off counts at its worst case."""
PRICE_USD = 10.0
"""Of a million tokens, so that a call that is not counted shows."""

TOOLS = '''
import json, os, urllib.request
from urllib.parse import quote
from planloom import tool

def _receipt(request) -> str | None:
    with urllib.request.urlopen(request, timeout=120) as reply:
        return json.loads(reply.read())["receipt"]

def _send(**body: str) -> str:
    data, kind = json.dumps(body).encode(), {"content-type": "application/json"}
    return _receipt(urllib.request.Request(os.environ["RECEIVER"], data=data, headers=kind))

def look(what: str) -> str | None:
    return _receipt(os.environ["RECEIVER"] + "?what=" + quote(what))

@tool(effect="write")
def keyed(what: str, idempotency_key: str) -> str:
    """Send something to the receiver, which knows keys."""
    return _send(what=what, key=idempotency_key)

@tool(effect="write", verify=look)
def verified(what: str) -> str:
    """Send something to the receiver; it can be looked up."""
    return _send(what=what)

@tool(effect="write")
def plain(what: str) -> str:
    """Send something to the receiver."""
    return _send(what=what)
'''


def workflow() -> JsonObject:
    """Return the workflow."""
    passes: Json = [{"expr": "output == 'right'"}]
    price: JsonObject = {"input": PRICE_USD, "output": PRICE_USD}
    models: JsonObject = {
        name: {"model": f"openai:{name}", "price": price, "max_output_tokens": 300, "retries": 0}
        for name in ("mini", "big")
    }
    start: JsonObject = {"x": "${nodes.start.output}"}
    each: JsonObject = {"map": "${nodes.items.output}", "with": {"what": "each ${index} ${item}"}}
    return {
        "version": 1,
        "name": "killed",
        "models": models,
        "planner": {"model": "big", "approve": "never"},
        "route": {"retry": 1, "promote": True, "replan": 2},
        "budget": {"usd": CAP_USD},
        "tools": {name: {"ref": f"outside:{name}"} for name in ("keyed", "verified", "plain")},
        "max_parallel": 4,
        "nodes": {
            "start": {"goal": "start"},
            "retried": {"goal": "x", "with": start, "checks": passes},
            "promoted": {"goal": "x", "with": start, "checks": passes},
            "lost": {"goal": "x", "with": {"x": "${nodes.retried.output}"}},
            "behind": {"goal": "x", "with": {"x": "${nodes.lost.output}"}},
            "items": {"map": ["a", "b", "c"], "goal": "say ${item}", "needs": ["start"]},
            "gate": {"code": "x", "with": {"x": "${nodes.promoted.output}"}, "approve": True},
            "no": {"code": "x", "with": start, "approve": True},
            "first": {"tool": "verified", "with": {"what": "first ${nodes.start.output}"}},
            "each": {"tool": "keyed", **each},
            "last": {"tool": "verified", "with": {"what": "last ${nodes.gate.output}"}, "needs": ["behind"]},
            PLAIN: {"tool": "plain", "with": {"what": PLAIN}, "needs": ["items"]},
        },
        "output": {"last": "${nodes.last.output}", "each": "${nodes.each.output}", "first": "${nodes.first.output}"},
    }


def script() -> JsonObject:
    """Return how the models answer: by node, attempt and rung alone, so that a killed run can end as a calm one."""
    fast = {"delay": "10ms"}
    mended: Json = {
        "remove": ["lost"],
        "nodes": [
            {"id": "mended", "goal": "y", "with": {"x": "${nodes.retried.output}"}},
            {"id": "behind", "goal": "x", "with": {"x": "${nodes.mended.output}"}},
        ],
    }
    rules: list[Json] = [
        {"when": {"role": "planner"}, "json": mended, "delay": "40ms"},
        {"when": {"node": "lost"}, "text": "CANNOT missing_tool: none does this", **fast},
        {"when": {"node": "retried", "attempt": [1]}, "text": "wrong", **fast},
        {"when": {"node": "promoted", "model": "mini"}, "text": "wrong", **fast},
        {"when": {"node": "items*"}, "text": "said by {{node}}", "delay": "40ms"},
        {"text": "right", **fast},
    ]
    return {"rehearsal": 1, "rules": rules}
