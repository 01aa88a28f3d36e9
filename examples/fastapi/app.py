"""Planloom inside a FastAPI app that is there already: runs, their events and approvals stand under /v1."""

import os
from pathlib import Path

from fastapi import FastAPI

from planloom import Engine
from planloom.service import anyone, lifespan, router

WORKFLOW = Path(__file__).parent.parent / "programming" / "workflow.yaml"

engine = Engine(rehearsal=os.environ.get("PLANLOOM_REHEARSAL"))
app = FastAPI(title="Shop", lifespan=lifespan(engine))
app.include_router(router(engine, [WORKFLOW], auth=anyone()))


@app.get("/")
async def shop() -> dict[str, str]:
    return {"shop": "open"}
