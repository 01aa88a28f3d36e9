"""The URL of a journal."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from planloom.state.store import JournalUnusable


def parse_url(place: str) -> URL:
    """Return the database that `place` names: a URL, a path, or `:memory:`.

    Raises:
        JournalUnusable: It is a URL of a kind that is not supported.
    """
    if "://" not in place:
        return URL.create("sqlite", database=place)
    try:
        url = make_url(place)
    except ArgumentError as exc:
        raise JournalUnusable(f"cannot read the journal's URL: {exc}") from exc
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite":
        return url
    raise JournalUnusable(f"journal {url.render_as_string()}: expected sqlite:///FILE or postgresql://...")
