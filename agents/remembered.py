"""Memories as models see them: one section, one line an entry, within a cap of tokens."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from planloom.agents.prompting import clip, prompt, section
from planloom.core.json import JsonObject
from planloom.core.memory import Memory
from planloom.models.sizes import estimate

_ENTRY_CHARS = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of the memories stands in a prompt."""

    text: str
    memories: tuple[Memory, ...]

    @property
    def tokens(self) -> int:
        """About how many tokens the section takes, on the safe side."""
        return estimate(len(self.text.encode()))


def remembered(memories: Sequence[Memory], max_tokens: int) -> Shown:
    """Return the section that shows as many memories as fit, best first; one that does not fit gives way to the next.

    Args:
        memories: Best first.
        max_tokens: Of the whole section; where not even one entry fits, the section is empty.
    """
    shown = Shown(text="", memories=())
    lines: list[str] = []
    for memory in memories:
        line = _line(memory)
        text = section("Remembered", "\n".join([prompt("remembered"), "```json", *lines, line, "```"]))
        longer = Shown(text=text, memories=(*shown.memories, memory))
        if longer.tokens <= max_tokens:
            shown = longer
            lines.append(line)
    return shown


def _line(memory: Memory) -> str:
    origin = memory.origin
    told: JsonObject = {
        "subject": memory.subject,
        memory.kind: clip(memory.text if memory.value is None else memory.value, _ENTRY_CHARS),
        "from": f"run {origin.run_id}, node {origin.node_id}",
        "model": origin.model,
        "on": datetime.fromtimestamp(memory.at, UTC).date().isoformat(),
        "checked": [*origin.checks],
        "untrusted": [*memory.untrusted],
    }
    return json.dumps({name: value for name, value in told.items() if value not in ("", [])}, ensure_ascii=False)
