"""Where a node starts on the ladder, by what is known of each rung."""

from hypothesis import given
from hypothesis import strategies as st

from planloom.core.plan import Grant, Node, NodeId, ToolName
from planloom.core.visit import Visit
from planloom.graphs.first_rung import HALF_LIFE_S, Offer, alike, explores, first_rung, signature

LADDER = [
    Offer(name="mini", model="mini-1", price=1.0),
    Offer(name="mid", model="mid-1", price=4.0),
    Offer(name="big", model="big-1", price=20.0),
]
NOW = 1e9


def visits(rung: int, won: int, lost: int, *, age_s: float = 0.0, served: str = "s", model: str = "") -> list[Visit]:
    offer = LADDER[rung]
    return [
        Visit(
            rung=offer.name,
            model=model or offer.model,
            served=served,
            ok=number < won,
            cost_usd=offer.price / 1000,
            at=NOW - age_s,
        )
        for number in range(won + lost)
    ]


def test_without_experience_a_node_starts_where_it_would() -> None:
    assert [first_rung(LADDER, start, [], NOW) for start in (0, 1, 2)] == [0, 1, 2]


def test_a_rung_that_keeps_failing_is_passed_over_as_soon_as_trying_it_costs_more_than_it_saves() -> None:
    # mini costs a quarter of mid: worth a try while its chance is above 1/4 and a little; (1 + 0) / (2 + n)
    starts = [first_rung(LADDER[:2], 0, visits(0, 0, lost), NOW) for lost in range(5)]
    assert starts == [0, 0, 0, 1, 1]
    assert first_rung(LADDER, 0, visits(0, 0, 30) + visits(1, 0, 60), NOW) == 2


def test_a_rung_that_mostly_wins_is_kept_and_never_is_the_top_passed() -> None:
    assert first_rung(LADDER, 0, visits(0, 8, 8), NOW) == 0
    assert first_rung(LADDER, 2, visits(2, 0, 50), NOW) == 2
    assert first_rung(LADDER, 0, visits(0, 0, 50) + visits(1, 0, 50) + visits(2, 0, 50), NOW) == 2


def test_what_was_learned_fades_with_age_and_under_another_model() -> None:
    assert first_rung(LADDER, 0, visits(0, 0, 16), NOW) == 1
    assert first_rung(LADDER, 0, visits(0, 0, 16, age_s=6 * HALF_LIFE_S), NOW) == 0
    assert first_rung(LADDER, 0, visits(0, 0, 16, model="mini-0"), NOW) == 0  # the workflow names another one now
    renamed = visits(0, 0, 16, age_s=60, served="s-1") + visits(0, 1, 0, served="s-2")
    assert first_rung(LADDER, 0, renamed, NOW) == 0


def test_what_is_known_of_a_rung_is_told_with_what_of_it_fades() -> None:
    known = visits(0, 14, 2, age_s=60, served="s-1") + visits(0, 4, 0, served="s-2") + visits(1, 3, 0)
    assert alike(LADDER, known) == (
        "mini: 18 of 20 alike succeeded (16 of them under another model, which count a quarter); "
        "mid: 3 of 3 alike succeeded"
    )
    assert alike(LADDER, visits(0, 9, 0, model="mini-0")) == ""


def test_without_prices_nothing_is_passed_over() -> None:
    free = [Offer(name=offer.name, model=offer.model, price=0.0) for offer in LADDER]
    assert first_rung(free, 0, visits(0, 0, 50), NOW) == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 5), st.floats(0, 1e8)), max_size=6))
def test_the_start_is_the_cheapest_in_expectation(drawn: list[tuple[int, int, int, float]]) -> None:
    known = [visit for rung, won, lost, age_s in drawn for visit in visits(rung, won, lost, age_s=age_s)]
    for start in range(3):
        found = first_rung(LADDER, start, known, NOW)
        assert start <= found <= 2
        assert found == first_rung(LADDER, start, list(reversed(known)), NOW)
    costs, climb = [0.0, 0.0, 20.0], 20.0
    for rung in (1, 0):
        weights = [
            (visit.ok, 0.5 ** ((NOW - visit.at) / HALF_LIFE_S)) for visit in known if visit.rung == LADDER[rung].name
        ]
        chance = (1 + sum(w for ok, w in weights if ok)) / (2 + sum(w for _, w in weights))
        climb = costs[rung] = LADDER[rung].price + (1 - chance) * climb
    found = first_rung(LADDER, 0, known, NOW)
    assert costs[found] <= min(costs) + 1e-6


def test_the_same_work_has_one_signature_and_other_work_another() -> None:
    node = Node(id=NodeId("a"), goal="Do ${inputs.x}", tools=(Grant(tool=ToolName("db")),))
    again = Node(id=NodeId("b[3]"), goal="Do ${inputs.x}", tools=(Grant(tool=ToolName("db")),), inputs={"x": 1})
    other = Node(id=NodeId("a"), goal="Do ${inputs.x}", tools=(Grant(tool=ToolName("db")),), output={"type": "object"})
    assert signature(node) == signature(again) != signature(other)


def test_one_start_in_about_twenty_explores_and_always_the_same_ones() -> None:
    runs = [explores(f"run {number}", "n") for number in range(2000)]
    assert 60 <= sum(runs) <= 140
    assert runs == [explores(f"run {number}", "n") for number in range(2000)]
