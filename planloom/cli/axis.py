"""The time axis of a run: seconds at work, with the pauses between processes cut down to a sliver."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from planloom.core import events as ev

_SLIVER = 0.03
"""Share of the time at work that a pause is drawn as."""
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Pause:
    """Time between two processes, when nothing was under way; `start` and `end` are places on the axis."""

    start: float
    end: float
    seconds: float
    """How long it really took."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time in one process: real seconds since the epoch, and where it begins on the axis."""

    began: float
    ended: float
    place: float


@dataclass(frozen=True, slots=True)
class Axis:
    """Places of moments. Places are seconds at work, pauses before them counted at their width."""

    stretches: tuple[Stretch, ...]
    pauses: tuple[Pause, ...]

    @property
    def length(self) -> float:
        """Place of the end."""
        final = self.stretches[-1]
        return final.place + final.ended - final.began

    @property
    def worked_s(self) -> float:
        """Seconds at work."""
        return sum(part.ended - part.began for part in self.stretches)

    def _stretch(self, at: float) -> Stretch:
        return self.stretches[max(0, bisect_right(self.stretches, at, key=lambda part: part.began) - 1)]

    def place(self, at: float) -> float:
        """Return where a moment is; one within a pause is where the pause begins."""
        part = self._stretch(at)
        return part.place + min(max(at, part.began), part.ended) - part.began

    def worked(self, start: float, end: float) -> float:
        """Return the seconds at work between two moments."""
        within = (min(end, part.ended) - max(start, part.began) for part in self.stretches)
        return sum(part_s for part_s in within if part_s > 0)

    def taken_up(self, at: float) -> float:
        """Return the moment when the process that was at work at `at` began with the run."""
        return self._stretch(at).began

    def stopped(self, at: float) -> float:
        """Return the moment when that process stopped: nothing that it began outlives it."""
        return self._stretch(at).ended

    def ticks(self, most: int) -> list[tuple[float, float]]:
        """Return round numbers of seconds at work, at most `most` and the first 0, each with its place."""
        step = _step(self.worked_s / max(1, most))
        found: list[tuple[float, float]] = []
        before = 0.0
        for part in self.stretches:
            long = part.ended - part.began
            number = math.ceil(before / step - 1e-9)
            while number * step <= before + long + 1e-9:
                found.append((round(number * step, 6), part.place + number * step - before))
                number += 1
            before += long
        return list({second: (second, place) for second, place in reversed(found)}.values())[::-1]


def _step(at_least: float) -> float:
    """Return the smallest round number of seconds that is not below `at_least`."""
    if at_least > 30:
        longer = (60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)
        return next((step for step in longer if step >= at_least), 86_400 * math.ceil(at_least / 86_400))
    power = 10.0 ** math.floor(math.log10(max(at_least, 1e-3)))
    return next(power * step for step in (*_STEPS, 10) if power * step >= at_least - 1e-12)


def axis_of(events: Sequence[ev.AnyEvent], end: float) -> Axis:
    """Lay out the axis of a run that is drawn up to `end`, seconds since the epoch."""
    parts: list[tuple[float, float]] = []
    began = last = events[0].at if events else end
    for event in events:
        if isinstance(event, ev.RunResumed) and event.at > last:
            parts.append((began, last))
            began = event.at
        last = max(last, event.at)
    parts.append((began, max(last, end)))
    worked = max(sum(ended - began for began, ended in parts), 1e-3)
    width = worked * _SLIVER
    stretches: list[Stretch] = []
    pauses: list[Pause] = []
    place = 0.0
    for began, ended in parts:
        if stretches:
            seconds = began - stretches[-1].ended
            pauses.append(Pause(place, place + min(width, seconds), seconds))
            place = pauses[-1].end
        stretches.append(Stretch(began, ended, place))
        place += ended - began
    return Axis(tuple(stretches), tuple(pauses))
