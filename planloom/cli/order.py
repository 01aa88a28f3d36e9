"""The shape of a plan: edges, and an order to list nodes in."""

import heapq
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from planloom.core.expr import ExprError
from planloom.core.plan import Node, NodeId
from planloom.core.refs import RefError
from planloom.core.view import RunView
from planloom.graphs.lint import dependencies

Edges: TypeAlias = Mapping[NodeId, frozenset[NodeId]]
"""For every node the nodes it waits for."""


def planned(view: RunView) -> dict[NodeId, Node]:
    """Return the nodes of the plan in force and those the planner has already written."""
    return {**(view.plan.nodes if view.plan else {}), **view.provisional}


def goal_of(node: Node) -> str:
    """What a node is for, in words: its goal, or that it calls a tool or runs code."""
    if node.goal:
        return node.goal
    if node.tool:
        return f"calls {node.tool}"
    return "runs code" if node.code else ""


def edges_of(nodes: Mapping[NodeId, Node]) -> dict[NodeId, frozenset[NodeId]]:
    """Derive what every node waits for, among the nodes given."""
    return {node_id: (_waits_for(node) & nodes.keys()) - {node_id} for node_id, node in nodes.items()}


def _waits_for(node: Node) -> frozenset[NodeId]:
    try:
        return dependencies(node)
    except (RefError, ExprError):
        return frozenset()  # a node the planner is still writing; the compiler reports it


def in_order(ids: Iterable[NodeId], edges: Edges) -> list[NodeId]:
    """List nodes so that each stands after what it waits for, else in the order given.

    Nodes on a cycle, which only a plan that was never compiled can have, come last.
    """
    rank = {node_id: index for index, node_id in enumerate(ids)}
    waits = {node_id: len(edges.get(node_id, frozenset()) & rank.keys()) for node_id in rank}
    readers: dict[NodeId, list[NodeId]] = {node_id: [] for node_id in rank}
    for node_id in rank:
        for need in edges.get(node_id, frozenset()) & rank.keys():
            readers[need].append(node_id)
    ready = [(rank[node_id], node_id) for node_id, left in waits.items() if not left]
    heapq.heapify(ready)
    order: list[NodeId] = []
    while ready:
        _, node_id = heapq.heappop(ready)
        order.append(node_id)
        for reader in readers[node_id]:
            waits[reader] -= 1
            if not waits[reader]:
                heapq.heappush(ready, (rank[reader], reader))
    placed = set(order)
    return order + [node_id for node_id in rank if node_id not in placed]
