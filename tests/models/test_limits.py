import asyncio

from hypothesis import given
from hypothesis import strategies as st

from planloom.models.limits import WINDOW_S, Pace, Window


@given(
    cap=st.integers(1, 50),
    asks=st.lists(st.tuples(st.integers(0, 80), st.integers(1, 60)), max_size=40),
)
def test_no_minute_ever_holds_more_than_the_cap(cap: int, asks: list[tuple[int, int]]) -> None:
    window, now, slots = Window(cap), 0.0, []
    for wait, amount in asks:
        now += wait / 4
        slot = window.reserve(amount, now)
        slots.append((slot.start, min(amount, cap)))
    starts = [start for start, _ in slots]
    assert starts == sorted(starts)
    for start in starts:
        assert sum(amount for at, amount in slots if start - WINDOW_S < at <= start) <= cap


def test_a_free_window_gives_the_present() -> None:
    window = Window(2)
    assert [window.reserve(1, 5.0).start for _ in range(3)] == [5.0, 5.0, 65.0]


def test_what_was_not_used_is_given_to_later_callers() -> None:
    window = Window(100)
    slot = window.reserve(90, 0.0)
    window.settle(slot, 10)
    assert window.reserve(80, 1.0).start == 1.0


def test_more_than_the_cap_goes_alone() -> None:
    window = Window(10)
    assert window.reserve(1000, 0.0).start == 0.0
    assert window.reserve(1, 1.0).start == 60.0


async def test_a_caller_cancelled_while_waiting_gives_its_share_back() -> None:
    now = 0.0
    pace = Pace(2, None, clock=lambda: now)
    entered = asyncio.Event()

    async def wait() -> None:
        entered.set()
        async with pace.turn(1):
            raise AssertionError("it should still wait")

    async with pace.turn(1), pace.turn(1):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(wait())
            await entered.wait()
            task.cancel()
        now = 60.0
        async with pace.turn(1), pace.turn(1):
            pass


async def test_without_limits_nobody_waits() -> None:
    pace = Pace(None, None)
    async with pace.turn(1_000_000) as booking:
        booking.settle(5)
