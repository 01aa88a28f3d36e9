"""What tests of the service share: a service on a port, reading server-sent events, waiting for a run."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from fastapi import FastAPI
from ports import on_port
from programs import PLANLOOM, Program, begin
from support import WAIT_S

from planloom import Engine, Workflow
from planloom.core.json import JsonObject
from planloom.service.app import make_app
from planloom.service.caller import Authenticate, api_keys
from planloom.service.limits import Limits
from planloom.service.webhooks import Webhooks
from planloom.state.keys import Keys, Role

Numbered = tuple[int, JsonObject]
SUM = """
version: 1
name: sum
description: Adds two numbers.
inputs: {a: {type: integer}, b: {type: integer, default: 1}}
nodes:
  total: {code: "a + b", with: {a: "${inputs.a}", b: "${inputs.b}"}}
output: "${nodes.total.output}"
"""
SHOUT = """
version: 1
name: shout
description: Says it again, loudly.
inputs: {text: {type: string}, mark: {type: string, default: "!"}}
nodes: {loud: {code: "text + mark", with: {text: "${inputs.text}", mark: "${inputs.mark}"}}}
output: "${nodes.loud.output}"
"""
BROKEN = """
version: 1
name: broken
nodes: {bad: {code: "1 / 0"}}
output: "${nodes.bad.output}"
"""
CAREFUL = """
version: 1
name: careful
nodes:
  draft: {code: "'Dear all'"}
  send: {code: "text + ', it is done.'", with: {text: "${nodes.draft.output}"}, approve: true}
output: "${nodes.send.output}"
"""
GATED = """
version: 1
name: gated
nodes:
  one: {code: "1"}
  wait: {tool: gate, needs: [one]}
  two: {code: "w + 1", with: {w: "${nodes.wait.output}"}}
output: "${nodes.two.output}"
"""
MANY = """
version: 1
name: many
inputs: {items: {type: array}}
nodes:
  each: {code: "item", map: "${inputs.items}", with: {item: "${item}"}}
  wait: {tool: gate}
  last: {code: "len(all)", with: {all: "${nodes.each.output}"}, needs: [wait]}
output: "${nodes.last.output}"
"""
ASKING = """
version: 1
name: asking
models: {mini: {model: "openai:mini", price: {input: 1000, output: 1000}, max_output_tokens: 50}}
nodes: {say: {goal: Say something., checks: [{expr: len(output) > 0}]}}
"""

_FILE_GATE = '''
import asyncio
from pathlib import Path

HERE = Path(__file__).parent


async def wait() -> str:
    """Wait for a person to make a file."""
    (HERE / "reached").touch()
    while not (HERE / "open").exists():
        await asyncio.sleep(0.02)
    return "open"
'''
_SLOW = """
version: 1
name: slow
tools: {wait: {ref: "gates:wait"}}
nodes: {gate: {tool: wait}}
output: "${nodes.gate.output}"
"""


@dataclass
class Gate:
    """A tool that returns when it is opened, so that a run is under way for as long as a test wants."""

    open: asyncio.Event
    calls: int = 0

    async def __call__(self) -> int:
        self.calls += 1
        await self.open.wait()
        return 41


def write_slow(folder: Path) -> None:
    """Write slow.yaml, whose run makes a file `reached` and goes on when there is a file `open`, for any process."""
    (folder / "gates.py").write_text(_FILE_GATE)
    (folder / "slow.yaml").write_text(_SLOW)


@dataclass
class Site:
    """A running service and its engine."""

    url: str
    engine: Engine
    app: FastAPI

    async def key(self, tenant: str = "acme", role: Role = "admin") -> str:
        return await Keys(self.engine.journal).create(tenant, role)

    async def client(self, tenant: str = "acme", role: Role = "admin") -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {await self.key(tenant, role)}"}
        return httpx.AsyncClient(base_url=f"{self.url}/v1", headers=headers, timeout=WAIT_S)

    async def begin(self, workflow: str, inputs: JsonObject | None = None) -> str:
        """Start a run, where anyone may; return its id."""
        async with httpx.AsyncClient(base_url=f"{self.url}/v1", timeout=WAIT_S) as http:
            return str((await http.post("/runs", json={"workflow": workflow, "inputs": inputs or {}})).json()["run_id"])

    async def rested(self, run_id: str) -> JsonObject:
        """Wait until a run is over or waits, where anyone may look; return its record."""
        async with httpx.AsyncClient(base_url=f"{self.url}/v1", timeout=WAIT_S) as http:
            return await settled(http, run_id)


@asynccontextmanager
async def serving(
    folder: Path, port: int, *options: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Serve slow.yaml of a folder by the command, in a process that can be killed; it is when this is left."""
    args = ("serve", "slow.yaml", "--port", str(port), "--journal", "j.db", "--drain", "0.2", *options)
    server = begin(PLANLOOM, *args, folder=folder, env=env)
    try:
        async with httpx.AsyncClient() as http:
            while True:
                try:
                    await http.get(f"http://127.0.0.1:{port}/healthz")
                    break
                except httpx.TransportError:
                    assert server.code is None, server.err
                    await asyncio.sleep(0.05)
        yield server
    finally:
        if server.code is None:
            await server.kill()


@dataclass
class Serve:
    """Starts services over one journal."""

    folder: Path
    gate: Gate
    journal: str = ""
    rehearsal: Path | None = None
    tools: dict[str, Callable[..., object]] = field(default_factory=dict[str, Callable[..., object]])
    """Beside the gate."""

    @asynccontextmanager
    async def __call__(
        self,
        *,
        auth: Authenticate = api_keys,
        limits: Limits | None = None,
        more: Sequence[str] = (),
        webhooks: Webhooks | None = None,
    ) -> AsyncIterator[Site]:
        journal = self.journal or self.folder / "runs.db"
        engine = Engine(journal=journal, tools={"gate": self.gate.__call__, **self.tools}, rehearsal=self.rehearsal)
        workflows = [
            Workflow.from_text(text, base_dir=self.folder) for text in (SUM, CAREFUL, GATED, MANY, ASKING, *more)
        ]
        app = make_app(engine, workflows, auth=auth, limits=limits, drain_s=0.2, webhooks=webhooks)
        async with on_port(app) as url:
            yield Site(url, engine, app)


async def events_of(
    http: httpx.AsyncClient, run_id: str, after: int = 0, most: int | None = None, into: list[Numbered] | None = None
) -> list[Numbered]:
    """Follow a run until its stream ends, or until so many events have come; they can be seen as they come."""
    found = list[Numbered]() if into is None else into
    headers = {"Last-Event-ID": str(after)} if after else {}
    async with http.stream("GET", f"/runs/{run_id}/events", headers=headers) as response:
        if response.status_code == 204:
            return found
        assert response.status_code == 200, await response.aread()
        number = 0
        async for line in response.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                number = int(value)
            elif name == "data":
                found.append((number, json.loads(value)))
                if most is not None and len(found) >= most:
                    return found
    return found


async def raw_events(url: str, key: str, run_id: str, after: int = 0, most: int | None = None) -> list[Numbered]:
    """Do as `events_of` with next to no work on this side: for many clients in one process."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
    found, number = list[Numbered](), 0
    try:
        head = f"GET /v1/runs/{run_id}/events HTTP/1.0\r\nHost: {host}\r\nAuthorization: {key}\r\n"
        writer.write(f"{head}Last-Event-ID: {after}\r\n\r\n".encode())
        status = await reader.readline()
        assert status.split()[1] in (b"200", b"204"), status
        while (line := await reader.readline()) and (most is None or len(found) < most):
            if line.startswith(b"id: "):
                number = int(line[4:])
            elif line.startswith(b"data: "):
                found.append((number, json.loads(line[6:])))
    finally:
        writer.close()
    return found


async def settled(http: httpx.AsyncClient, run_id: str) -> JsonObject:
    """Wait until a run is over or waits, and return its record."""
    pause_s = 0.02
    while True:
        await asyncio.sleep(pause_s)
        record = (await http.get(f"/runs/{run_id}")).raise_for_status().json()
        if record["status"] != "running" and not record["live"]:
            return record
        pause_s = min(1.1 * pause_s, 0.2)  # a tenant may ask ten times a second
