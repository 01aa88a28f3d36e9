"""Large values as models see them: a handle, and a tool that reads what is behind it in slices."""

import json
import time
from collections.abc import Mapping

from planloom.agents.dialogue import Tools
from planloom.core import events as ev
from planloom.core.artifact import digests_in, filled, named
from planloom.core.errors import ToolError
from planloom.core.json import Json, JsonObject
from planloom.core.plan import NodeId
from planloom.models.base import ToolOffer
from planloom.state.log import RunLog

MAX_SHOWN_CHARS = 40_000
"""Of one value as JSON that a model is shown whole."""
READ = "artifact__read"
_DEFAULT_CHARS, _MAX_CHARS = 10_000, 30_000
_CHARACTER_BYTES = 4
_NUMBER: JsonObject = {"type": "integer", "minimum": 0}
_OFFER = ToolOffer(
    name=READ,
    description=(
        "Read a part of a large value that is shown as {artifact, bytes, kind, head}. Returns {text, next_offset}; at"
        " the end next_offset is null. Such an object may also be passed to another tool as an argument: the tool"
        " gets the whole value."
    ),
    parameters={
        "type": "object",
        "properties": {
            "artifact": {"type": "string", "description": "sha256:..."},
            "offset": {**_NUMBER, "description": "bytes to skip: the next_offset of the answer before"},
            "limit": {**_NUMBER, "description": f"characters, {_DEFAULT_CHARS} when left out, {_MAX_CHARS} at most"},
        },
        "required": ["artifact"],
        "additionalProperties": False,
    },
)


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
        return (*offers, _OFFER) if self._known and all(offer.name != READ for offer in offers) else offers

    async def call(self, name: str, args: JsonObject) -> Json:
        """Call one; handles among its arguments become their values.

        Raises:
            ToolError: It is not granted, its arguments are wrong, or it failed.
            JournalError: A large result could not be stored.
        """
        if name == READ and _OFFER in self.offers:
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
            return await self._slice(args)
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

    async def _slice(self, args: JsonObject) -> Json:
        name, offset, limit = args.get("artifact"), args.get("offset", 0), args.get("limit", _DEFAULT_CHARS)
        if not isinstance(name, str) or not isinstance(offset, int) or not isinstance(limit, int):
            raise ToolError(READ, "expected artifact as text, offset and limit as whole numbers")
        digest, artifacts = named(name), self._log.artifacts
        found = await artifacts.find(digest) if digest in self._known else None
        if found is None:
            raise ToolError(READ, f"this node was given no artifact {name[:100]!r}")
        offset, limit = max(offset, 0), min(max(limit, 0), _MAX_CHARS)
        raw = await artifacts.read(digest, offset, (limit + 1) * _CHARACTER_BYTES)
        skipped = next((i for i, byte in enumerate(raw) if byte & 0xC0 != 0x80), len(raw))
        text = raw[skipped:].decode(errors="ignore")[:limit]
        end = offset + skipped + len(text.encode())
        return {"text": text, "next_offset": end if end < found[1] else None}
