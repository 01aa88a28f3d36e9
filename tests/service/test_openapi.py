"""The OpenAPI document against what the service really does: schemathesis asks what it says may be asked."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from service_support import Gate, Serve

from planloom.service.limits import Limits

CONFIG = """
[[operations]]
include-name = "POST /v1/runs"
# The same Idempotency-Key with another body is refused with 422, however well the body fits.
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]

[[operations]]
include-name = "POST /v1/chat/completions"
# Whether a conversation fits depends on the workflow that it is for, and that run may fail.
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422", "429"]

[[operations]]
include-name = "POST /v1/responses"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422", "429"]

[[operations]]
include-name = "POST /v1/ag-ui/{name}"
# Whether messages and answers fit depends on the workflow that they are for.
checks.positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
"""
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "5")


@pytest.mark.timeout(600)  # thousands of requests
async def test_schemathesis_finds_no_failure_and_no_answer_that_is_not_described(
    serve: Serve, gate: Gate, tmp_path: Path
) -> None:
    gate.open.set()
    generous = Limits(
        requests_per_minute=10**6, stream_s=0.2, heartbeat_s=0.1, max_runs=10**4, max_runs_of_tenant=10**4
    )
    program = Path(sys.executable).with_name("schemathesis")
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    async with serve(limits=generous) as site:
        args = ("run", f"{site.url}/openapi.json", "--seed", "7", "--max-examples", EXAMPLES, "--no-color")
        key = ("-H", f"Authorization: Bearer {await site.key()}")
        process = await asyncio.create_subprocess_exec(
            program, *args, *key, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-6000:]


async def test_the_document_describes_the_events_of_each_stream_one_by_one(serve: Serve) -> None:
    async with serve() as site, await site.client() as http:
        document = (await http.get(f"{site.url}/openapi.json")).json()
    found = [
        response["content"]["text/event-stream"]
        for path in document["paths"].values()
        for operation in path.values()
        for response in operation["responses"].values()
        if "text/event-stream" in response.get("content", {})
    ]
    assert len(found) == 5
    for stream in found:  # `schema` would be of the whole body, which clients read as a list of events
        assert "schema" not in stream
        assert stream["itemSchema"]["properties"]["data"]["type"] == "string"
