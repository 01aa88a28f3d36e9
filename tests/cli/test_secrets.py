"""Secrets stand nowhere in what a run writes, whoever repeats them, however it ends."""

import base64
import json
import os
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp_servers import Odd
from postgres import served
from programs import PLANLOOM, begin
from servers.parrot import fail, parrot, tell

from planloom.configs.load import Workflow
from planloom.engine import Engine
from planloom.models.base import Request

HOW = ["plain", "nested", "json", "base64", "urlsafe", "url", "hex", "large"]
NAMES = ["MODEL_CRED", "LLM_PATH_KEY", "CRM_GIVEN", "MCP_GIVEN", "FUNCTION_TOKEN", "JOURNAL_PASSWORD", "NAMED"]


def workflow(folder: Path, port: int) -> Path:
    call: dict[str, object] = {
        **{name: {"tool": "tell", "with": {"how": name}} for name in HOW},
        "reader": {"code": "len(x)", "with": {"x": "${nodes.plain.output}"}},
        "copied": {"code": "'got ' + x", "with": {"x": "${nodes.plain.output}"}},
        "broken": {"tool": "fail", "with": {"how": "so"}},
        "asks": {"goal": "Say what you know of ${nodes.large.output}.", "with": {"x": "${nodes.large.output}"}},
        "refused": {"goal": "Be refused."},
        "page": {"tool": "crm.get", "with": {"url": "/a"}},
        "denied": {"tool": "crm.get", "with": {"url": "/refuse"}},
        "server": {"tool": "odd.environment"},
        "scolds": {"tool": "odd.secret", "needs": ["server"]},
        "dies": {"tool": "odd.die", "needs": ["server"]},
        "judged": {"code": "1", "checks": [{"ref": "parrot:check"}]},
        "waits": {"tool": "wait", "with": {"folder": str(folder)}},
        "held": {"tool": "tell", "with": {"how": "nested"}, "approve": True},
    }
    data = {
        "version": 1,
        "name": "leaky",
        "inputs": {"said": {"type": "string"}},
        "models": {
            "mini": {
                "model": "openai:mini",
                "base_url": f"http://127.0.0.1:{port}/${{env:LLM_PATH_KEY}}/v1",
                "api_key_env": "MODEL_CRED",
                "price": {"input": 1, "output": 1},
            }
        },
        "tools": {
            "tell": {"ref": "parrot:tell"},
            "fail": {"ref": "parrot:fail"},
            "wait": {"ref": "parrot:wait"},
            "crm": {
                "http": {
                    "base_url": f"http://127.0.0.1:{port}",
                    "allow": ["GET /*"],
                    "headers": {"Authorization": "Bearer ${env:CRM_GIVEN}"},
                    "private": True,
                }
            },
            "odd": {
                "mcp": {"command": [*Odd(folder).command()], "env": {"TOKEN": "${env:MCP_GIVEN}"}},
                "effect": "read",
            },
        },
        "route": {"retry": 0},
        "nodes": call,
    }
    (folder / "parrot.py").write_bytes((Path(__file__).parents[1] / "servers/parrot.py").read_bytes())
    (folder / "w.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return folder / "w.yaml"


def canaries() -> dict[str, str]:
    return {name: f'cnry+/"{name[:3]}\\{secrets.token_hex(12)}' for name in NAMES if name != "JOURNAL_PASSWORD"} | {
        "LLM_PATH_KEY": f"cnry-{secrets.token_hex(12)}",
        "JOURNAL_PASSWORD": f"cnry-{secrets.token_hex(12)}",
    }


def forms(secret: str) -> Iterator[bytes]:
    """Yield the part that no escaping changes, as it is, in hexadecimal and inside Base64."""
    tail = secret[-24:].encode()
    yield from (tail, tail.hex().encode(), tail.hex().upper().encode())
    for shift in range(3):
        yield base64.b64encode(b"x" * shift + tail)[4:-4]


def assert_nowhere(values: Mapping[str, str], *, folder: Path, printed: str) -> None:
    written = {"what was printed": printed.encode()}
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        written[str(path)] = path.read_bytes()
    found = [
        f"{name} in {place}: {data[max(0, data.index(form) - 60) : data.index(form) + 40]!r}"
        for name, value in values.items()
        for place, data in written.items()
        for form in forms(value)
        if form in data
    ]
    assert found == []


def killed_in_the_middle(path: Path, journal: str) -> str:
    """Run until a node waits, kill the process, and return what it printed."""
    given = f"said=the key is {os.environ['FUNCTION_TOKEN']}"
    program = begin(PLANLOOM, "run", str(path), "--plain", "--journal", journal, "--input", given, folder=path.parent)
    while not ((path.parent / "begun").exists() and all(name in program.out for name in ("judged", "server", "asks"))):
        assert program.code is None, program.err
        time.sleep(0.02)
    program.send(signal.SIGKILL)
    program.process.join()
    return program.out + program.err


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_secret_is_in_anything_that_is_written(
    kind: str, cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = canaries()
    with ExitStack() as stack:
        server = stack.enter_context(parrot())
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PLANLOOM_SECRETS", "OTHER, NAMED")
        path, journal, base = workflow(tmp_path, server.server_port), str(tmp_path / "j.db"), tmp_path
        if kind == "postgresql":
            database = stack.enter_context(served())
            journal = database.url.replace("postgres@", f"postgres:{values['JOURNAL_PASSWORD']}@")
            base = database.folder.parent
        said = [killed_in_the_middle(path, journal)]
        assert_nowhere(values, folder=tmp_path, printed=said[0])
        ran = cli("resume", "last", "--plain", "--journal", journal)
        assert ran.code == 3, ran.err
        said += [ran.out, ran.err]
        for command in (
            ["approve", "last", "--journal", journal],
            ["explain", "w.yaml"],
            ["validate", "w.yaml"],
            ["graph", "last", "--journal", journal],
            ["graph", "w.yaml", "-f", "svg", "-o", "plan.svg"],
            ["approve", "last", "--all", "--plain", "--journal", journal],
            ["show", "last", "--journal", journal],
            ["show", "last", "--events", "--json", "--journal", journal],
            ["show", "last", "--events", "--journal", journal],
            ["show", "last", "--json", "--journal", journal],
            ["show", "last", "-f", "html", "-o", "run.html", "--journal", journal],
            ["show", "last", "-f", "svg", "-o", "run.svg", "--journal", journal],
            ["show", "last", "--plan", "--journal", journal],
            ["runs", "--json", "--journal", journal],
        ):
            ran = cli(*command)
            said += [ran.out, ran.err]
        nodes = json.loads(cli("show", "last", "--json", "--journal", journal).out)["nodes"]
        assert_nowhere(values, folder=tmp_path, printed="".join(said))
        assert_nowhere(values, folder=base, printed="")
    assert nodes["copied"]["output"] == "got ***"
    assert nodes["reader"]["output"] == 3
    assert {name for name, node in nodes.items() if node["state"] == "failed"} == {
        "broken", "refused", "scolds", "dies", "judged",
    }  # fmt: skip
    told = "".join(server.told)  # type: ignore[attr-defined]
    assert all(values[name] in told for name in ("MODEL_CRED", "LLM_PATH_KEY", "CRM_GIVEN"))
    assert "***" in str(nodes["server"]["output"])


def test_a_database_that_cannot_be_opened_does_not_tell_its_password(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_GIVEN", "cnry-0123456789abcdef")
    monkeypatch.setenv("WHOLE_URL", "postgresql://me:cnry-fedcba9876543210@127.0.0.1:1/nothing")
    for url in ("postgresql://me:${env:DB_GIVEN}@127.0.0.1:1/nothing", "${env:WHOLE_URL}"):
        data = {"version": 1, "name": "w", "tools": {"db": {"sql": url}}, "nodes": {"n": {"tool": "db.schema"}}}
        (tmp_path / "w.yaml").write_text(yaml.safe_dump(data))
        ran = cli("run", "w.yaml", "--plain")
        assert ran.code == 2
        assert "cannot open postgresql://me:***@127.0.0.1:1/nothing" in ran.err
        assert "cnry" not in ran.out + ran.err
        assert b"cnry" not in (tmp_path / ".planloom/planloom.db").read_bytes()


async def test_a_program_gets_no_secret_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "cnry-0123456789abcdef"
    monkeypatch.setenv("FUNCTION_TOKEN", key)

    async def mini(request: Request) -> str:
        assert key not in str(request)
        if request.node_id == "raises":
            raise RuntimeError(f"no {key}")
        return f"it is {key}"

    nodes = {
        "told": {"tool": "tell", "with": {"how": "large"}},
        "broken": {"tool": "fail", "with": {"how": "so"}},
        "says": {"goal": "Say it.", "with": {"x": "${nodes.told.output}"}},
        "raises": {"goal": "Raise."},
    }
    models = {"mini": {"model": "openai:mini", "price": {"input": 1, "output": 1}}}
    workflow = Workflow.from_dict({"version": 1, "name": "w", "models": models, "nodes": nodes}, base_dir=tmp_path)
    tools = {"tell": tell, "fail": fail}
    async with Engine(journal=tmp_path / "j.db", models={"mini": mini}, tools=tools) as engine:
        handle = await engine.submit(workflow)
        told = "".join([str(event) async for event in handle.events()])
        result = await handle.result()
        told += str(result.as_json())
    assert (result.status, result.nodes["says"].output) == ("partial", "it is ***")
    assert "raised RuntimeError: no ***" in told
    assert key not in told
