"""What a node is said to take before it runs."""

import pytest

from planloom.configs.nodes import NodeSpec, to_nodes
from planloom.configs.spec import RouteSpec
from planloom.core.plan import Node
from planloom.graphs.estimate import estimate
from planloom.models.prices import Price

PRICES = {"mini": Price.flat(1.0, 1.0), "big": Price.flat(10.0, 10.0)}


def node(**keys: object) -> Node:
    (only,) = to_nodes({"a": NodeSpec.model_validate({"goal": "Say it.", "max_calls": 1, **keys})}).values()
    return only


@pytest.mark.parametrize(
    ("keys", "route", "calls"),
    [
        ({}, {"retry": 0}, (1, 2)),
        ({}, {"retry": 2}, (1, 6)),
        ({}, {"retry": 0, "promote": False}, (1, 1)),
        ({"checks": [{"judge": "It is good."}]}, {}, (2, 8)),
        ({"checks": [{"agree": {"samples": 3, "quorum": 2}}, {"judge": "It is good."}]}, {"retry": 0}, (4, 12)),
        ({}, {"retry": 0, "vote": {"samples": 3, "quorum": 2}}, (1, 8)),
        ({"goal": "", "code": "1", "checks": [{"judge": "It is good."}]}, {"retry": 0}, (1, 1)),
    ],
)
def test_retries_votes_and_judges_count(
    keys: dict[str, object], route: dict[str, object], calls: tuple[int, int]
) -> None:
    said = estimate(node(**keys), ("mini", "big"), PRICES, RouteSpec.model_validate(route))
    assert (said.calls_low, said.calls_high) == calls
    assert said.usd_high


def test_a_judge_is_paid_at_its_own_price() -> None:
    alone, judged = (
        estimate(node(checks=checks), ("mini", "big"), PRICES, RouteSpec())
        for checks in ([], [{"judge": "It is good."}])
    )
    assert alone.usd_low is not None
    assert judged.usd_low == pytest.approx(11 * alone.usd_low)
