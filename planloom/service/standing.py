"""Whether keys that were good when a stream began still are."""

import time

from planloom.state.keys import Keys
from planloom.state.store import JournalError

CHECK_S = 2.0
"""How old what is known of a key may be."""
_REMEMBERED = 10_000


class Standing:
    """Looks keys up again, each once in a while however many streams it has opened."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._known: dict[str, tuple[float, bool]] = {}

    async def holds(self, key_id: str) -> bool:
        """Tell whether a key opens anything; while the journal is away it is as it was."""
        now = time.monotonic()
        checked_at, held = self._known.get(key_id, (-CHECK_S, True))
        if now - checked_at < CHECK_S:
            return held
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key_id] = (now, held)  # others who ask meanwhile need not look it up as well
        try:
            found = await self._keys.find(key_id)
        except JournalError:
            return held
        held = found is not None and found.holds
        self._known[key_id] = (now, held)
        return held
