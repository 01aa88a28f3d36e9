"""Tenants see nothing of each other; roles, keys, tokens and quotas hold."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from service_support import Gate, Serve, Site, settled
from support import WAIT_S

from planloom.core.plan import RunId
from planloom.service.caller import this_machine
from planloom.service.limits import Limits
from planloom.state.artifacts import Artifacts
from planloom.state.keys import Keys
from planloom.state.quotas import Quota, Quotas


async def held_run(site: Site, http: httpx.AsyncClient) -> tuple[str, str, str]:
    """Start a run that waits; return its id, what its answer is bound to, and the digest of an artifact of it."""
    run_id = (await http.post("/runs", json={"workflow": "careful"})).json()["run_id"]
    bound_to = (await settled(http, run_id))["pending"][0]["bound_to"]
    kept = await Artifacts(site.engine.journal, RunId(run_id)).keep("a value of acme")
    return run_id, bound_to, kept.digest


def routes_of_runs(document: dict) -> Iterator[tuple[str, str]]:
    for path, item in document["paths"].items():
        if "{run_id}" in path:
            yield from ((method.upper(), path) for method in item)


async def test_anothers_run_is_as_good_as_none_on_every_route(serve: Serve) -> None:
    async with serve() as site, await site.client("acme") as owner, await site.client("rival") as rival:
        run_id, bound_to, digest = await held_run(site, owner)
        document = (await rival.get(f"{site.url}/openapi.json")).json()
        answer = {"answers": [{"node": "send", "bound_to": bound_to, "approved": True}]}
        routes = list(routes_of_runs(document))
        assert len(routes) == 6
        for method, path in routes:
            told = []
            for name in (run_id, "250101-000000-abcdef", run_id[:-2], "last", "x" * 99):
                address = site.url + path.replace("{run_id}", name).replace("{digest}", digest)
                body = {"json": answer} if path.endswith("approve") else {}
                reply = await rival.request(method, address, headers={"Last-Event-ID": "1"}, **body)
                headers = {key: value for key, value in reply.headers.items() if key != "date"}
                told.append((reply.status_code, reply.text, headers))
            assert told[0][0] == 404
            assert all(other == told[0] for other in told), path
        assert (await settled(owner, run_id))["status"] == "waiting"


async def test_a_digest_known_from_elsewhere_opens_nothing(serve: Serve) -> None:
    async with serve() as site, await site.client("acme") as owner, await site.client("rival") as rival:
        run_id, _, digest = await held_run(site, owner)
        mine = (await rival.post("/runs", json={"workflow": "sum", "inputs": {"a": 1}})).json()["run_id"]
        await Artifacts(site.engine.journal, RunId(mine)).keep("something else")
        for name in (digest, f"sha256:{digest}"):
            assert (await owner.get(f"/runs/{run_id}/artifacts/{name}")).text == "a value of acme"
            assert (await rival.get(f"/runs/{mine}/artifacts/{name}")).status_code == 404
            assert (await rival.get(f"/runs/{run_id}/artifacts/{name}")).status_code == 404


async def test_nothing_of_anothers_comes_out_whatever_is_asked(serve: Serve) -> None:
    generous = Limits(requests_per_minute=10**6, stream_s=0.05)
    async with serve(limits=generous) as site, await site.client("acme") as owner, await site.client("rival") as rival:
        run_id, bound_to, digest = await held_run(site, owner)
        await owner.post("/runs", json={"workflow": "sum", "inputs": {"a": 1}}, headers={"Idempotency-Key": "acme-key"})
        cursor = (await owner.get("/runs", params={"limit": 1})).json()["next_cursor"]
        own = (await rival.post("/runs", json={"workflow": "sum", "inputs": {"a": 2}})).json()["run_id"]
        secret = (run_id, bound_to, digest, "a value of acme", "acme")
        document = (await rival.get(f"{site.url}/openapi.json")).json()
        routes = [(method.upper(), path) for path, item in document["paths"].items() for method in item]
        pieces = [
            run_id,
            bound_to,
            digest,
            own,
            "last",
            run_id[:6],
            f"..%2F{run_id}",
            f"{own}%2F..%2F{run_id}",
            "%00",
            "*",
        ]
        sum_of = {"workflow": "sum", "inputs": {"a": 5}}
        answer = {"answers": [{"node": "send", "bound_to": bound_to, "approved": True}]}
        resume = {"interruptId": f"{run_id}:{bound_to}:send", "status": "resolved", "payload": {"approved": True}}
        interrupted = {"threadId": "t", "runId": "r", "messages": [], "resume": [resume]}
        approved = {"type": "mcp_approval_response", "approval_request_id": resume["interruptId"], "approve": True}
        joined = {"model": "careful", "input": [approved], "previous_response_id": f"resp_{run_id}"}
        draw = random.Random(7)
        for _ in range(300):
            method, path = draw.choice(routes)
            filled = path.replace("{run_id}", draw.choice(pieces)).replace("{digest}", draw.choice(pieces))
            filled = filled.replace("{name}", draw.choice(["sum", run_id, "careful"]))
            filled = filled.replace("{response_id}", f"resp_{draw.choice(pieces)}")
            reply = await rival.request(
                draw.choice([method, "GET", "HEAD", "PUT"]),
                site.url + filled,
                params={"cursor": cursor} if draw.random() < 0.3 else {"workflow": "careful"},
                headers={"Idempotency-Key": "acme-key", "Last-Event-ID": draw.choice(["0", "1", "3"])},
                json=draw.choice([sum_of, {**sum_of, **answer}, interrupted, joined]),
            )
            assert reply.status_code < 500
            said = reply.text + str(reply.headers)
            assert not [piece for piece in secret if piece in said.replace(str(reply.request.url), "")], (
                method,
                filled,
            )
        listed = (await rival.get("/runs", params={"cursor": cursor})).json()["runs"]
        assert run_id not in {run["run_id"] for run in listed}
        assert (await settled(owner, run_id))["status"] == "waiting"


@pytest.mark.parametrize(
    ("role", "may"),
    [("viewer", {"read"}), ("runner", {"read", "run"}), ("approver", {"read", "approve"})],
)
async def test_a_role_may_do_what_it_says_and_no_more(serve: Serve, role: str, may: set[str]) -> None:
    async with serve() as site, await site.client() as admin, await site.client(role=role) as http:  # type: ignore[arg-type]
        run_id, bound_to, _ = await held_run(site, admin)
        answer = {"answers": [{"node": "send", "bound_to": bound_to, "approved": False}]}
        asked = {
            "read": await http.get(f"/runs/{run_id}"),
            "audit": await http.get("/audit"),
            "run": await http.post("/runs", json={"workflow": "sum", "inputs": {"a": 1}}),
            "approve": await http.post(f"/runs/{run_id}/approve", json=answer),
        }
        assert {name for name, reply in asked.items() if reply.status_code != 403} == may
        entries = (await admin.get("/audit")).json()["entries"]
        denied = [entry for entry in entries if entry["action"] == "denied"]
        assert len(denied) == len(asked) - len(may)


async def test_keys_are_kept_as_digests_and_end_when_revoked_or_expired(serve: Serve) -> None:
    async with serve() as site:
        keys = Keys(site.engine.journal)
        key = await site.key()
        short = await keys.create("acme", "viewer", lifetime_s=0.0)
        async with httpx.AsyncClient(base_url=f"{site.url}/v1", timeout=WAIT_S) as http:

            async def status(value: str) -> int:
                return (await http.get("/runs", headers={"Authorization": value})).status_code

            assert await status(f"Bearer {key}") == 200
            wrong = [
                f"Bearer {short}",
                f"Bearer {key[:-1]}",
                f"Bearer {key}x",
                f"Basic {key}",
                "Bearer",
                "Bearer pl__",
            ]
            assert [await status(value) for value in wrong] == [401] * 6
            reply = await http.get("/runs")
            assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
            assert reply.headers["content-type"] == "application/problem+json"
            await keys.revoke(key.split("_")[1])
            assert await status(f"Bearer {key}") == 401
    stored = b"".join(file.read_bytes() for file in serve.folder.glob("runs.db*"))
    assert key.split("_", 2)[2].encode() not in stored


async def test_the_audit_log_says_who_did_what_and_cannot_be_changed(serve: Serve, tmp_path: Path) -> None:
    async with serve() as site, await site.client() as http:
        run_id, bound_to, _ = await held_run(site, http)
        await http.post(
            f"/runs/{run_id}/approve", json={"answers": [{"node": "send", "bound_to": bound_to, "approved": True}]}
        )
        page = (await http.get("/audit", params={"limit": 1})).json()
        rest = (await http.get("/audit", params={"before": page["next_before"]})).json()["entries"]
        said = [(entry["action"], entry["target"]) for entry in page["entries"] + rest]
        assert said == [("run.approve", run_id), ("run.start", run_id)]
        assert page["entries"][0]["actor"].startswith("key ")
    connection = sqlite3.connect(tmp_path / "runs.db")
    for statement in ("DELETE FROM audit", "UPDATE audit SET actor = 'nobody'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.close()


async def test_a_tenant_has_so_many_requests_runs_and_dollars(serve: Serve, gate: Gate) -> None:
    async with serve() as site, await site.client() as http, await site.client("other") as other:
        quotas = Quotas(site.engine.journal)
        await quotas.put("acme", Quota(max_runs=1))
        first = (await http.post("/runs", json={"workflow": "gated"})).json()["run_id"]
        second = await http.post("/runs", json={"workflow": "gated"})
        assert (second.status_code, "retry-after" in second.headers) == (429, True)
        assert (await other.post("/runs", json={"workflow": "sum", "inputs": {"a": 1}})).status_code == 202
        gate.open.set()
        await settled(http, first)
        await quotas.put("acme", Quota(usd=0.0))
        spent = await http.post("/runs", json={"workflow": "sum", "inputs": {"a": 1}})
        assert (spent.status_code, spent.json()["type"]) == (429, "urn:planloom:problem:budget-spent")
        assert 0 < int(spent.headers["retry-after"]) <= 86_400
        await quotas.put("acme", Quota(requests_per_minute=8))
        codes = [(await http.get("/workflows")).status_code for _ in range(4)]
        assert codes[-1] == 429
        assert (await other.get("/workflows")).status_code == 200


async def test_without_keys_only_this_machine_is_answered(serve: Serve) -> None:
    async with serve(auth=this_machine) as site, httpx.AsyncClient(base_url=f"{site.url}/v1", timeout=WAIT_S) as http:
        assert (await http.get("/runs")).status_code == 200
        assert (await http.get("/runs", headers={"Host": "evil.example"})).status_code == 403
        posted = await http.post(
            "/runs", json={"workflow": "sum", "inputs": {"a": 1}}, headers={"Origin": "https://evil.example"}
        )
        assert posted.status_code == 403
        same = await http.get("/runs", headers={"Origin": site.url})
        assert same.status_code == 200


async def test_runs_at_the_same_time_never_pass_the_dollars_of_their_tenant(serve: Serve, tmp_path: Path) -> None:
    serve.rehearsal = tmp_path / "script.yaml"
    serve.rehearsal.write_text('rehearsal: 1\nrules: [{text: "Well then.", delay: 50ms}]\n')
    async with serve() as site, await site.client() as http:
        await Quotas(site.engine.journal).put("acme", Quota(usd=3.0))
        asked = [await http.post("/runs", json={"workflow": "asking"}) for _ in range(10)]
        records = [await settled(http, reply.json()["run_id"]) for reply in asked if reply.status_code == 202]
        costs = [float(str(record["cost_usd"])) for record in records]
        assert max(costs) > 0
        assert sum(costs) <= 3.0
        assert {record["status"] for record in records} == {"done", "failed"}
        assert "budget usd" in str(next(record for record in records if record["status"] == "failed")["error"])
