"""On which rungs the nodes of a workflow would start, by what the journal has of past runs."""

from collections.abc import Mapping

from planloom.cli.journals import journal_at, nothing_yet
from planloom.configs.load import Workflow
from planloom.core.plan import NodeId, Plan
from planloom.graphs.experience import experience_of
from planloom.graphs.progress import ladder_of
from planloom.models.prices import price_of
from planloom.state.visits import Visits


async def starts_of(workflow: Workflow, plan: Plan | None, journal: str | None) -> Mapping[NodeId, str]:
    """Say of each node whose kind of work is known where it would start, and why; of no node without `first_rung`.

    Raises:
        JournalError: The journal cannot be read.
    """
    spec = workflow.spec
    if plan is None or spec.memory is None or not spec.memory.first_rung or nothing_yet(journal):
        return {}
    models = {name: (rung.model.partition(":")[2], price_of(rung)) for name, rung in spec.models.items()}
    async with journal_at(journal) as opened:
        experience = await experience_of(Visits(opened, spec.memory.scope or spec.name), models)
    told: dict[NodeId, str] = {}
    for node in plan.nodes.values():
        rungs, start = ladder_of(node, spec.rungs)
        chosen = experience.start(node, rungs, start) if rungs else None
        if chosen is not None:
            told[node.id] = f"on {rungs[chosen.rung]} ({chosen.reason})"
    return told
