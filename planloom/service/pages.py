"""The pages that people look at: static files, and the headers that keep what they show from running."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_FOLDER = Path(__file__).parent / "ui"
_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types planloom-worker"
)
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_API = 'name="planloom-api" content="../v1"'


class Pages(StaticFiles):
    """Serves the files of the folder `ui`; the first page knows where the service is."""

    def __init__(self, api: str) -> None:
        super().__init__(directory=_FOLDER)
        self._index = (_FOLDER / "index.html").read_text("utf-8").replace(_API, f'{_API[:-6]}{escape(api)}"')

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, or the first page for the folder itself."""
        first = path in (".", "index.html") and scope["method"] in ("GET", "HEAD")
        response = HTMLResponse(self._index) if first else await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        return response


def ui(api: str = "../v1") -> Pages:
    """Return the pages for an app to mount.

    `app.mount("/ui", ui())` puts them beside a router that was included without a prefix. They are open to everyone and
    hold nothing: what they show comes from the service, with the key of who looks.

    Args:
        api: Where the routes under `/v1` are, as seen from the pages: an absolute path, or relative to them. It must
            be on the same origin.
    """
    return Pages(api)
