"""An HTTP server that repeats whatever it is told, headers and all, also as a model server; and the tools beside it."""

import base64
import json
import os
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Parrot(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(403 if "refuse" in self.path else 200, {"url": self.path, "headers": dict(self.headers.items())})

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        said = f"my key is {self.headers['Authorization']}, asked at {self.path}"
        if "Be refused" in asked:
            self._say(401, {"error": {"message": f"bad key: {said}"}})
            return
        message = {"role": "assistant", "content": said}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {"id": "1", "object": "chat.completion", "created": 1, "model": said, "usage": usage}
        self._say(200, {**whole, "choices": [choice]})

    def _say(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repeated", self.headers.get("Authorization", ""))
        self.end_headers()
        self.wfile.write(data)
        self.server.told.append(f"{self.path} {self.headers}")  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def parrot() -> Iterator[ThreadingHTTPServer]:
    """Serve on a free port; `told` is a list of what it was sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Parrot)
    server.told = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def tell(how: str) -> object:
    """Return what a function's own key looks like after somebody has passed it on."""
    key = os.environ["FUNCTION_TOKEN"]
    raw = f"user:{key}!".encode()
    return {
        "plain": key,
        "nested": {"list": [f"a {key} b"], key: 1},
        "json": json.dumps(json.dumps({"k": key})),
        "base64": [base64.b64encode(b"x" * n + raw).decode() for n in range(3)],
        "urlsafe": base64.urlsafe_b64encode(raw).decode(),
        "url": urllib.parse.quote(key, safe=""),
        "hex": raw.hex(),
        "large": f"{key} " * 2000,
    }[how]


def fail(how: str) -> str:
    """Fail and tell the key."""
    key = os.environ["FUNCTION_TOKEN"]
    try:
        raise KeyError(key)
    except KeyError as exc:
        raise RuntimeError(f"{how}: {key} is wrong") from exc


def wait(folder: str) -> str:
    """Say that it has begun and, the first time, never end."""
    begun = Path(folder) / "begun"
    if not begun.exists():
        begun.write_text("")
        threading.Event().wait()
    return os.environ["FUNCTION_TOKEN"]


def check(output: object) -> None:
    """Fail as a check, with the key."""
    raise AssertionError(f"{os.environ['FUNCTION_TOKEN']} is not {output}")
