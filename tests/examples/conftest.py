"""An example played on a real model server."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from played import Play, Played
from support import ServeModel

from planloom.configs.load import Workflow
from planloom.core.json import Json
from planloom.engine import Engine


@pytest.fixture
def play(serve_model: ServeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run an example the way a user does, from a folder of his own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    async def run(workflow: Path, script: str, inputs: Mapping[str, Json] | None = None) -> Played:
        server = await serve_model(script)
        async with Engine(journal=tmp_path / "j.db", base_url=server.base_url) as engine:
            result = await engine.run(Workflow.from_yaml(workflow), inputs)
        return Played(result, server, folder)

    return run
