"""Workflows: list them, what one takes, what it would do."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import TypeAdapter
from starlette.responses import JSONResponse

from planloom.configs.load import Workflow
from planloom.configs.nodes import to_nodes
from planloom.core.json import Json, JsonObject
from planloom.core.plan import Finding
from planloom.service.catalogue import input_schema
from planloom.service.problems import described
from planloom.service.record import node_json
from planloom.service.shapes import Explained, WorkflowList, WorkflowRecord
from planloom.service.visit import Service, Visit, admits

Name = Annotated[str, Path(description="As `GET /v1/workflows` lists it.")]
_FINDINGS = TypeAdapter(tuple[Finding, ...])


def add_workflows(api: APIRouter, service: Service) -> None:
    """Add the routes."""
    _add_list(api, service)
    _add_get(api, service)
    _add_explain(api, service)


def _add_list(api: APIRouter, service: Service) -> None:
    reads = admits(service, "read")

    @api.get(
        "/workflows", response_model=WorkflowList, responses=described(), summary="List workflows", tags=["workflows"]
    )
    async def list_workflows(visit: Annotated[Visit, Depends(reads)]) -> JSONResponse:
        """List what can be run."""
        return JSONResponse({"workflows": [_line(workflow) for workflow in service.workflows.values()]})


def _add_get(api: APIRouter, service: Service) -> None:
    reads = admits(service, "read")

    @api.get(
        "/workflows/{name}",
        response_model=WorkflowRecord,
        responses=described(404),
        summary="Look at a workflow",
        tags=["workflows"],
    )
    async def get_workflow(name: Name, visit: Annotated[Visit, Depends(reads)]) -> JSONResponse:
        """Return what a workflow takes, as a JSON Schema, and its nodes."""
        workflow = service.workflow(name)
        spec = workflow.spec
        nodes = to_nodes(spec.nodes).values()
        record: JsonObject = {
            **_line(workflow),
            "inputs": input_schema(workflow),
            "models": [*spec.rungs],
            "graph": [node_json(node) for node in nodes],
        }
        return JSONResponse(record)


def _add_explain(api: APIRouter, service: Service) -> None:
    reads = admits(service, "read")

    @api.post(
        "/workflows/{name}/explain",
        response_model=Explained,
        responses=described(404, 422),
        summary="Explain a workflow",
        tags=["workflows"],
    )
    async def explain_workflow(name: Name, visit: Annotated[Visit, Depends(reads)]) -> JSONResponse:
        """Compile a workflow and say what it would do and take. Nothing is run."""
        workflow = service.workflow(name)
        checked = await service.engine.check(workflow)
        estimates: dict[str, Json] = {node_id: asdict(item) for node_id, item in checked.estimates.items()}
        explained: JsonObject = {
            "name": name,
            "plan": "auto" if checked.plan is None else "static",
            "graph": [] if checked.plan is None else [node_json(node) for node in checked.plan.nodes.values()],
            "estimates": estimates,
            "warnings": _FINDINGS.dump_python(checked.findings, mode="json"),
        }
        return JSONResponse(explained)


def _line(workflow: Workflow) -> JsonObject:
    spec = workflow.spec
    return {"name": spec.name, "description": spec.description, "plan": "auto" if spec.auto else "static"}
