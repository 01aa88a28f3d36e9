"""OpenAI's batch API over HTTP: one file up, one batch, two files down."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx2

from planloom.core.json import JsonObject
from planloom.core.outcome import FailureKind
from planloom.models.batch_file import answers_in
from planloom.models.faults import MESSAGE_CAP, Fault, status_fault
from planloom.models.text import is_list, is_mapping, loads_object

TAG = "planloom"
"""Under this key the metadata of a batch holds our name of it."""
WINDOW = "24h"
"""What is asked for; OpenAI takes no other. `within` says how long we wait."""
_PATHS = ("/chat/completions", "/responses")
_PAGES = 20
_OVER = ("completed", "expired", "cancelled", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """A batch as the provider tells it."""

    id: str
    status: str
    done: int = 0
    total: int = 0
    files: tuple[str, ...] = ()
    """Ids of the files that hold results and errors."""
    errors: str = ""
    """Why it was not taken on at all."""

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _OVER


class BatchApi:
    """The batches of one provider, reached with what a plain request carries: its address and its key."""

    def __init__(self, client: httpx2.AsyncClient, request: httpx2.Request) -> None:
        url = str(request.url)
        path = next(path for path in _PATHS if url.endswith(path))
        self.endpoint = f"/v1{path}"
        """As batch files name it."""
        self._root = url.removesuffix(path)
        self._host = request.url.netloc.decode("ascii", "replace").rpartition("@")[2]
        self._headers = {"authorization": request.headers.get("authorization", "")}
        self._client = client

    async def upload(self, name: str, lines: Iterable[bytes]) -> str:
        """Send a file of requests; return its id.

        Raises:
            Fault: The provider refused it.
        """
        file = (f"{name}.jsonl", b"\n".join(lines), "application/jsonl")
        body = await self._ask("POST", "/files", data={"purpose": "batch"}, files={"file": file})
        return _text(body, "id")

    async def create(self, name: str, file_id: str) -> BatchState:
        """Make a batch of an uploaded file.

        Raises:
            Fault: The provider refused it.
        """
        wanted: JsonObject = {
            "input_file_id": file_id,
            "endpoint": self.endpoint,
            "completion_window": WINDOW,
            "metadata": {TAG: name},
        }
        return _state(await self._ask("POST", "/batches", json=wanted))

    async def find(self, name: str) -> BatchState | None:
        """Return the batch that was made under our name, `None` if there is none."""
        after: dict[str, str] = {}
        for _ in range(_PAGES):
            page = await self._ask("GET", "/batches", params={"limit": "100", **after})
            listed = page.get("data")
            batches = [item for item in listed if is_mapping(item)] if is_list(listed) else []
            for item in batches:
                metadata = item.get("metadata")
                if is_mapping(metadata) and metadata.get(TAG) == name:
                    return _state(item)
            if not batches or not page.get("has_more"):
                return None
            after = {"after": _text(batches[-1], "id")}
        return None

    async def state(self, batch_id: str) -> BatchState:
        """Ask how a batch stands.

        Raises:
            Fault: The provider does not know it, or cannot say.
        """
        return _state(await self._ask("GET", f"/batches/{batch_id}"))

    async def cancel(self, batch_id: str) -> None:
        """Have it stopped; what is done by then is billed."""
        await self._ask("POST", f"/batches/{batch_id}/cancel")

    async def answers(self, state: BatchState) -> dict[str, httpx2.Response | Fault]:
        """Return what came of each call, by its id."""
        found: dict[str, httpx2.Response | Fault] = {}
        for file_id in state.files:
            raw = await self._send("GET", f"/files/{file_id}/content")
            found |= answers_in(raw.content)
        return found

    async def _ask(self, method: str, path: str, **content: object) -> JsonObject:
        response = await self._send(method, path, **content)
        body = loads_object(response.text)
        if body is None:
            text = f"{self._host} answered {method} {path} with what is no JSON object"
            raise Fault(FailureKind.TRANSPORT, text, retry=True)
        return body

    async def _send(self, method: str, path: str, **content: object) -> httpx2.Response:
        response = await self._client.request(
            method,
            f"{self._root}{path}",
            headers=self._headers,
            **content,  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        )
        if response.status_code >= 400:
            message = _message(response.text)
            raise status_fault(response.status_code, message, self._host, response.headers)
        return response


def _state(body: Mapping[str, object]) -> BatchState:
    counts, errors = body.get("request_counts"), body.get("errors")
    done = sum(_count(counts, key) for key in ("completed", "failed")) if is_mapping(counts) else 0
    files = (_text(body, key) for key in ("output_file_id", "error_file_id"))
    listed = errors.get("data") if is_mapping(errors) else None
    said = [_text(item, "message") for item in listed if is_mapping(item)] if is_list(listed) else []
    return BatchState(
        id=_text(body, "id"),
        status=_text(body, "status"),
        done=done,
        total=_count(counts, "total") if is_mapping(counts) else 0,
        files=tuple(file for file in files if file),
        errors="; ".join(said)[:MESSAGE_CAP],
    )


def _text(body: Mapping[str, object], key: str) -> str:
    value = body.get(key)
    return value if isinstance(value, str) else ""


def _count(body: Mapping[str, object], key: str) -> int:
    value = body.get(key)
    return value if isinstance(value, int) else 0


def _message(text: str) -> str:
    error = (loads_object(text) or {}).get("error")
    return _text(error, "message") if is_mapping(error) else text[:MESSAGE_CAP]
