"""Planloom inside a FastAPI service: start a run with POST /runs, follow it with GET /runs/{id}."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, HTTPException
from pydantic import JsonValue

from planloom import ConfigError, Engine, RunError, Workflow

WORKFLOW = Path(__file__).parent.parent / "programming" / "workflow.yaml"
engine = Engine(rehearsal=os.environ.get("PLANLOOM_REHEARSAL"))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    async with engine:
        yield


app = FastAPI(title="Planloom example", lifespan=lifespan)


@app.post("/runs", status_code=202)
async def start(inputs: dict[str, JsonValue]) -> dict[str, str]:
    try:
        handle = await engine.submit(Workflow.from_yaml(WORKFLOW), inputs)
    except ConfigError as exc:
        raise HTTPException(422, str(exc)) from exc
    return {"run_id": handle.run_id}


@app.get("/runs/{run_id}")
async def show(run_id: str) -> dict[str, JsonValue]:
    try:
        return (await engine.view(run_id)).result().as_json()
    except RunError as exc:
        raise HTTPException(404, str(exc)) from exc
