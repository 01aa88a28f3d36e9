"""The ledger: what is spent and reserved never passes a cap, and nobody waits for nothing."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planloom.core.errors import BudgetExceeded
from planloom.core.outcome import Usage
from planloom.state.ledger import Amount, Caps, Ledger

NOTHING = Amount(calls=0)


def held(*accounts: Ledger) -> list[tuple[float, int, int]]:
    """Spent plus reserved of each account."""
    return [
        (a.spent.usd + a.reserved.usd, a.spent.tokens + a.reserved.tokens, a.spent.calls + a.reserved.calls)
        for a in accounts
    ]


def check_caps(*accounts: Ledger) -> None:
    for account, (usd, tokens, calls) in zip(accounts, held(*accounts), strict=True):
        caps = account.caps
        assert caps.usd is None or usd <= caps.usd + 1e-9
        assert caps.tokens is None or tokens <= caps.tokens
        assert caps.calls is None or calls <= caps.calls
        assert account.reserved.usd >= -1e-9
        assert account.reserved.tokens >= 0
        assert account.reserved.calls >= 0


async def blocked(task: "asyncio.Task[None]") -> bool:
    """Let everything that can run do so; tell whether the task still waits."""
    for _ in range(10):
        await asyncio.sleep(0)
    return not task.done()


@dataclass(frozen=True)
class Caller:
    account: int
    usd: float
    tokens: int
    taken: float
    pauses: int
    cancelled: bool


CALLERS = st.lists(
    st.builds(
        Caller,
        account=st.integers(0, 3),
        usd=st.floats(0, 0.6),
        tokens=st.integers(0, 60),
        taken=st.floats(0, 1),
        pauses=st.integers(0, 4),
        cancelled=st.booleans() | st.just(False),
    ),
    min_size=40,
    max_size=40,
)
CAPS = st.builds(
    Caps,
    usd=st.none() | st.floats(0.05, 2),
    tokens=st.none() | st.integers(1, 200),
    calls=st.none() | st.integers(1, 20),
)


@settings(max_examples=80, deadline=None)
@given(callers=CALLERS, root=CAPS, middle=CAPS, leaf=CAPS)
def test_no_cap_is_passed_at_any_instant(callers: list[Caller], root: Caps, middle: Caps, leaf: Caps) -> None:
    top = Ledger(root)
    one, other = Ledger(middle, parent=top), Ledger(leaf, parent=top)
    accounts = [top, one, other, Ledger(leaf, parent=one)]

    async def call(caller: Caller) -> None:
        account = accounts[caller.account]
        worst = Amount(usd=caller.usd, tokens=caller.tokens)
        for _ in range(caller.pauses):
            await asyncio.sleep(0)
        try:
            await account.reserve(worst)
        except BudgetExceeded:
            return
        taken = Amount(usd=caller.usd * caller.taken, tokens=int(caller.tokens * caller.taken))
        try:
            check_caps(*accounts)
            for _ in range(caller.pauses):
                await asyncio.sleep(0)
        finally:
            account.settle(worst, taken)
            check_caps(*accounts)

    async def all_callers() -> None:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            tasks = [group.create_task(call(caller)) for caller in callers]
            await asyncio.sleep(0)
            for task, caller in zip(tasks, callers, strict=True):
                if caller.cancelled:
                    task.cancel()

    asyncio.run(all_callers())
    assert [account.reserved for account in accounts] == [NOTHING] * 4


async def test_what_can_never_fit_fails_at_once_and_names_the_limit() -> None:
    run = Ledger(Caps(usd=1.0))
    node = Ledger(Caps(tokens=100, calls=2), parent=run)
    await node.reserve(Amount(usd=0.5, tokens=50))
    for amount, limit, cap, needed in [
        (Amount(usd=1.01), "usd", 1.0, 1.01),
        (Amount(tokens=101), "tokens", 100, 101),
        (Amount(calls=3), "calls", 2, 3),
    ]:
        with pytest.raises(BudgetExceeded) as caught:
            await node.reserve(amount)
        assert (caught.value.limit, caught.value.cap, caught.value.needed) == (limit, cap, needed)
    assert held(run, node) == [(0.5, 50, 1), (0.5, 50, 1)]


async def test_a_waiting_reservation_goes_on_when_money_is_given_back() -> None:
    run = Ledger(Caps(usd=1.0))
    first, second = Ledger(Caps(), parent=run), Ledger(Caps(), parent=run)
    await first.reserve(Amount(usd=0.7))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(second.reserve(Amount(usd=0.6)))
        assert await blocked(task)
        first.settle(Amount(usd=0.7), Amount(usd=0.4))
    assert held(run, first, second) == [(1.0, 0, 2), (0.4, 0, 1), (0.6, 0, 1)]


async def test_a_waiting_reservation_fails_when_what_was_spent_leaves_no_room() -> None:
    run = Ledger(Caps(usd=1.0))
    await run.reserve(Amount(usd=0.7))

    async def late() -> None:
        with pytest.raises(BudgetExceeded):
            await run.reserve(Amount(usd=0.6))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(late())
        assert await blocked(task)
        run.settle(Amount(usd=0.7), Amount(usd=0.7))
    assert held(run) == [(0.7, 0, 1)]


async def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    run = Ledger(Caps(calls=1))
    await run.reserve(Amount())
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        cancelled, patient = group.create_task(run.reserve(Amount())), group.create_task(run.reserve(Amount()))
        assert await blocked(cancelled)
        cancelled.cancel()
        run.settle(Amount(), NOTHING)
        await patient
    assert cancelled.cancelled()
    assert held(run) == [(0.0, 0, 1)]


async def test_every_waiter_is_woken_although_all_wait_for_one_event() -> None:
    run = Ledger(Caps(calls=1))
    order: list[int] = []

    async def call(number: int) -> None:
        await run.reserve(Amount())
        order.append(number)
        await asyncio.sleep(0)
        run.settle(Amount(), NOTHING)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(call(number))
    assert sorted(order) == list(range(200))
    assert held(run) == [(0.0, 0, 0)]


async def test_what_rounding_leaves_behind_blocks_nobody() -> None:
    run = Ledger(Caps(usd=1e6))
    amounts = [Amount(usd=(n % 7 + 1) * 99_999.1 / 9.7) for n in range(8)]
    for _ in range(500):
        for amount in amounts:
            await run.reserve(amount)
        for amount in amounts:
            run.settle(amount, NOTHING)
    async with asyncio.timeout(60):
        await run.reserve(Amount(usd=1e6))


async def test_a_call_that_took_more_than_it_reserved_is_booked_in_full() -> None:
    run = Ledger(Caps(usd=1.0))
    await run.reserve(Amount(usd=0.5))
    run.settle(Amount(usd=0.5), Amount(usd=1.5))
    assert held(run) == [(1.5, 0, 1)]
    with pytest.raises(BudgetExceeded):
        await run.reserve(Amount(usd=0.01))


async def test_a_cap_can_be_used_up_to_the_last_bit() -> None:
    run = Ledger(Caps(usd=0.3))
    for _ in range(3):
        await run.reserve(Amount(usd=0.1))
        run.settle(Amount(usd=0.1), Amount(usd=0.1))
    with pytest.raises(BudgetExceeded):
        await run.reserve(Amount(usd=0.000001))


def test_what_a_run_spent_before_a_resume_is_not_booked_again_above_it() -> None:
    run = Ledger(Caps(usd=1.0))
    node = Ledger(Caps(), parent=run)
    node.book(Amount.of(Usage(input_tokens=3, output_tokens=4, calls=2), 0.25))
    assert held(run, node) == [(0.0, 0, 0), (0.25, 7, 2)]
    assert node.capped
    assert not Ledger(Caps()).capped
