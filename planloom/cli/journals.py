"""The journal that a command is about, opened so that looking changes nothing."""

from pathlib import Path

from planloom.state.journal import Journal
from planloom.state.place import DEFAULT_JOURNAL, Opening, place_of


def journal_at(given: str | None, opening: Opening = "current") -> Journal:
    """Return the journal that `--journal` names, or the default, to be entered; it is not made when it is not there."""
    return Journal(place_of(given), opening=opening)


def nothing_yet(given: str | None) -> bool:
    """Tell whether the command is about the default journal, and nothing has run here yet."""
    return place_of(given) == DEFAULT_JOURNAL and not Path(DEFAULT_JOURNAL).exists()
