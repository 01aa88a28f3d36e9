"""Quality against compute: what other rules would have done on the answers of a tenant's stored runs."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import JSONResponse

from planloom.configs.policy import read_policy
from planloom.core.json import Json, JsonObject
from planloom.core.view import RunView
from planloom.quality.calibrate import calibrate
from planloom.quality.policy import Policy
from planloom.quality.recorded import Recorded, grouped
from planloom.quality.replay import Replayed, Spending, compare
from planloom.quality.runs import recorded_in
from planloom.service.problems import described
from planloom.service.shapes import QualityRecord
from planloom.service.visit import Service, Visit, admits

_MOST_RUNS = 200
"""Newest runs that are looked at: a request must not read a whole journal."""


def add_quality(api: APIRouter, service: Service) -> None:
    """Add the route."""
    reads = admits(service, "read")

    @api.get(
        "/quality",
        response_model=QualityRecord,
        responses=described(422),
        summary="Replay stored answers under other rules",
        tags=["quality"],
    )
    async def read_quality(
        visit: Annotated[Visit, Depends(reads)],
        workflow: Annotated[str, Query(max_length=200, description="Only runs of this workflow.")] = "",
    ) -> JSONResponse:
        """Replay the answers of the tenant's newest runs, without a model.

        What a check other than those on text said of an answer is taken as the truth. A question that a rule would have
        sent up, though the stronger model was never asked it, is unknown.
        """
        policies = await asyncio.to_thread(_policies, service, workflow)
        runs, rows = await _recorded(visit, workflow)
        replayed = await asyncio.to_thread(_replayed, rows, policies)
        return JSONResponse({"runs": runs, **replayed})


async def _recorded(visit: Visit, workflow: str) -> tuple[int, list[Recorded]]:
    """Return how many runs were looked at, and their answers whose outcome is known."""
    places = await visit.runtime.owners.page(visit.caller.tenant, _MOST_RUNS, None)
    found = await visit.runtime.engine.journal.summaries([place.run_id for place in places])
    runs = [run.run_id for run in found if workflow in ("", run.name)]
    return len(runs), [row for run_id in runs for row in recorded_in(RunView(await visit.history(run_id)))]


def _policies(service: Service, workflow: str) -> list[tuple[str, Policy]]:
    wanted = (each for each in service.workflows.values() if workflow in ("", each.spec.name))
    paths = {each.base_dir / each.spec.route.policy for each in wanted if each.spec.route.policy}
    return [(path.name, read_policy(path)) for path in sorted(paths)]


def _replayed(rows: Sequence[Recorded], policies: Sequence[tuple[str, Policy]]) -> JsonObject:
    rules = compare(rows, policies, spending=Spending()) if rows else []
    return {
        "answers": len(rows),
        "questions": rules[0].questions if rules else 0,
        "rules": [_rule(rule) for rule in rules],
        "curves": [curve for group in grouped(rows) for curve in _curve(group)],
    }


def _rule(rule: Replayed) -> JsonObject:
    return {
        "name": rule.name,
        "right": rule.right,
        "wrong": rule.wrong,
        "unknown": rule.unknown,
        "strong_calls": rule.strong_calls,
        "cost_usd": rule.cost_usd,
        "cost_unknown": rule.cost_unknown,
        "calls": {**rule.calls},
        "unknowns": [
            {"kind": lack.kind, "model": lack.model, "lack": lack.lack, "questions": lack.questions}
            for lack in rule.unknowns
        ],
    }


def _curve(group: Sequence[Recorded]) -> list[Json]:
    if any(row.strong_right is None for row in group):
        return []
    found = calibrate(group)
    if found.curve is None or found.group.signal is None or not found.group.signal.found:
        return []
    points: list[Json] = [{"share": point.share, "accuracy": point.accuracy} for point in found.curve.points]
    name = f"{group[0].kind} on {group[0].model or 'unnamed'}"
    return [{"name": name, "weak": found.curve.weak, "strong": found.curve.strong, "points": points}]
