"""A run's calls that wait in a provider's batches: written down before they wait, found again by the next process."""

from collections.abc import Mapping, Sequence

from planloom.core import events as ev
from planloom.core.json import Json, digest
from planloom.core.plan import NodeId
from planloom.graphs.slots import Slots
from planloom.models.base import BatchNews, Request, Ticket
from planloom.models.gateway import Rung
from planloom.state.ledger import Amount, Ledger
from planloom.state.log import RunLog


class RunDesk:
    """Journals what becomes of a run's batched calls, and pays for those that an earlier process left behind.

    Args:
        log: The run's.
        slots: Closed when the process is to end and the run to go on in another.
        ledger: The run's account.
    """

    def __init__(self, log: RunLog, slots: Slots, ledger: Ledger) -> None:
        self._log = log
        self._slots = slots
        self._ledger = ledger
        self._rungs: dict[str, str] = {}
        """The rung of each call."""
        self._left: dict[str, ev.CallStarted] = {}
        """Calls of an earlier process whose answers nobody has asked for yet; each is set aside in the ledger."""

    @property
    def leaving(self) -> bool:
        """Whether the process is told to end: batches are left for the next one."""
        return self._slots.closed

    def waits(self, call_id: str) -> bool:
        """Whether a call's answer can still be had."""
        return self._log.view.batch_of(call_id) is not None

    async def take_over(self) -> None:
        """Set aside what the calls of an earlier process may cost.

        Raises:
            BudgetExceeded: A cap was lowered.
        """
        view = self._log.view
        for call_id, call in view.open_calls.items():
            if self.waits(call_id):
                await self._ledger.reserve(_amount(call))
                self._left[call_id] = call

    def claim(self, node_id: NodeId | None, rung: Rung, request: Request) -> ev.CallStarted | None:
        """Return the call in which an earlier process asked the very same, and free what was set aside for it."""
        asked = work_of(rung.name, request)
        for call_id, call in self._left.items():
            batch = self._log.view.batch_of(call_id)
            if call.node_id == node_id and batch is not None and batch.calls[call_id] == asked:
                self._ledger.settle(_amount(call), Amount(calls=0))
                return self._left.pop(call_id)
        return None

    def ticket(self, call_id: str, rung: Rung, request: Request) -> Ticket:
        """Return the place of a call, in the batch that it waits in already where it does."""
        self._rungs[call_id] = rung.name
        batch, work = self._log.view.batch_of(call_id), work_of(rung.name, request)
        if batch is None:
            return Ticket(call=call_id, work=work, desk=self)
        return Ticket(call=call_id, work=work, desk=self, batch=batch.batch, batch_id=batch.batch_id)

    async def tell(self, news: BatchNews, tickets: Sequence[Ticket]) -> None:
        """Write down how a batch stands; before it is made and when it has its id, durably."""
        known = self._log.view.batches.get(news.batch)
        event = ev.BatchAdvanced(
            batch=news.batch,
            rung=self._rungs[tickets[0].call],
            batch_id=news.batch_id,
            status=news.status,
            done=news.done,
            total=news.total,
            calls=_works(tickets) if known is None else {},
        )
        self._log.note(event)
        if known is None or known.batch_id != news.batch_id:
            await self._log.settle()

    def left_over(self) -> list[ev.CallStarted]:
        """Give back what was set aside for calls that nobody asked for again, and return them."""
        left = list(self._left.values())
        for call in left:
            self._ledger.settle(_amount(call), Amount(calls=0))
        self._left.clear()
        return left


def work_of(rung: str, request: Request) -> str:
    """Return a digest of what is asked, the same for the same words at any time."""
    said: Json = [
        [message.role, message.text, message.tool_call_id, *(call.raw for call in message.tool_calls)]
        for message in request.messages
    ]
    offered: Json = [[tool.name, tool.parameters] for tool in request.tools]
    return digest([rung, request.role, request.member, request.round, said, offered, request.schema])


def _works(tickets: Sequence[Ticket]) -> Mapping[str, str]:
    return {ticket.call: ticket.work for ticket in tickets}


def _amount(call: ev.CallStarted) -> Amount:
    return Amount(usd=call.reserved_usd, tokens=call.reserved_tokens)
