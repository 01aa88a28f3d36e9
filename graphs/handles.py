"""Large values as models see them: a handle, and a tool that reads what is behind it in slices."""

import json
import time
from collections.abc import Mapping

from planloom.agents.dialogue import Tools
from planloom.core import events as ev
from planloom.core.artifact import digests_in, filled
from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import NodeId
from planloom.graphs.slices import OFFER, READ, Slices
from planloom.models.base import ToolOffer
from planloom.state.log import RunLog

MAX_SHOWN_CHARS = 40_000
"""Of one value as JSON that a model is shown whole."""


class Handled:
    """The tools of one attempt, with large inputs and results replaced by handles.

    An attempt may read the artifacts that its inputs name and those made of its own tools' results, and no others.

    Args:
        tools: The tools themselves.
        log: The run's.
        values: The node's inputs.
        node_id: The node, or the element of a map.
        attempt: Number of the attempt.
    """

    def __init__(self, tools: Tools, log: RunLog, values: Mapping[str, Json], *, node_id: NodeId, attempt: int) -> None:
        self._tools = tools
        self._log = log
        self._values = values
        self._node_id, self._attempt = node_id, attempt
        self._known = set(digests_in(dict(values)))

    async def inputs(self) -> JsonObject:
        """Return the node's inputs as a model is shown them.

        Raises:
            JournalError: A large one could not be stored.
        """
        return {name: await self._shown(value) for name, value in self._values.items()}

    @property
    def offers(self) -> tuple[ToolOffer, ...]:
        """The tools as the model sees them, with one that reads artifacts once there are some."""
        offers = self._tools.offers
        return (*offers, OFFER) if self._known and all(offer.name != READ for offer in offers) else offers

    async def call(self, name: str, args: JsonObject) -> Json:
        """Call one; handles among its arguments become their values.

        Raises:
            ToolError: It is not granted, its arguments are wrong, or it failed.
            JournalError: A large result could not be stored.
        """
        if name == READ and OFFER in self.offers:
            return await self._read(args)
        return await self._shown(await self._tools.call(name, await self._filled(args)))

    async def _shown(self, value: Json) -> Json:
        if len(json.dumps(value, ensure_ascii=False)) <= MAX_SHOWN_CHARS:
            return value
        reference = await self._log.artifacts.keep(value)
        self._known.add(reference.digest)
        return reference.as_json()

    async def _filled(self, args: JsonObject) -> JsonObject:
        artifacts, wanted = self._log.artifacts, self._known & set(digests_in(args))
        contents = {digest: await artifacts.load(digest) for digest in wanted if await artifacts.find(digest)}
        return {name: filled(value, contents) for name, value in args.items()} if contents else args

    async def _read(self, args: JsonObject) -> Json:
        started, error = time.monotonic(), ""
        try:
            return await Slices(self._log.artifacts).read(args, self._known)
        except ToolError as exc:
            error = exc.message
            raise
        finally:
            self._log.note(
                ev.ToolCalled(
                    node_id=self._node_id,
                    attempt=self._attempt,
                    tool="artifact.read",
                    args=args,
                    seconds=time.monotonic() - started,
                    error=error,
                )
            )
