"""What a run takes from earlier runs and leaves to later ones.

What was recalled is journaled as it stands in the prompt, and stays the same over attempts, repairs and resumes: so
provider's caches hit, and a record tells what a model knew. A planner is shown only what can be trusted.
"""

import json
import time

from planloom.agents.prompting import clip
from planloom.agents.remembered import remembered
from planloom.configs.memory import MemorySpec
from planloom.core import events as ev
from planloom.core.json import Json
from planloom.core.memory import Memory, MemoryKind, Origin, identify
from planloom.core.node_view import AttemptView
from planloom.core.plan import Node, NodeId
from planloom.core.refs import as_text
from planloom.graphs.attempt import Job
from planloom.graphs.context import Run
from planloom.graphs.near import near
from planloom.graphs.taint import MEMORY, Label, is_choice
from planloom.state.memories import Memories

_QUERY_CHARS = 4000
_INPUT_CHARS = 300


async def recall_for_planner(run: Run) -> str:
    """Return the section of the planner's prompt that shows what earlier runs remembered; the same all through a run.

    Raises:
        JournalError: The memories cannot be read.
    """
    spec = run.spec.memory
    if spec is None or run.memories is None:
        return ""
    open_inputs = {name: value for name, value in run.inputs.items() if name not in run.facts.untrusted_inputs}
    query = f"{json.dumps(open_inputs, ensure_ascii=False)} {run.spec.description}"
    return await _recall(run, run.memories, spec, query, node=None, input_digest="", most=spec.recall)


async def recall_for_worker(run: Run, job: Job) -> str:
    """Return the section of a worker's prompt that shows what earlier runs remembered; the same for all attempts.

    Raises:
        JournalError: The memories cannot be read.
    """
    spec, node = run.spec.memory, job.node
    if spec is None or run.memories is None or not node.recall:
        return ""
    query = f"{job.goal} {json.dumps(dict(job.values), ensure_ascii=False)}"
    most = spec.recall if node.recall is True else node.recall
    return await _recall(run, run.memories, spec, query, node=node, input_digest=job.input_digest, most=most)


async def _recall(
    run: Run, memories: Memories, spec: MemorySpec, query: str, *, node: Node | None, input_digest: str, most: int
) -> str:
    node_id = node.id if node else None
    known = run.view.recalled.get((node_id, input_digest))
    if known is not None or not most:
        return known.text if known is not None else ""
    trusted_only = node_id is None or spec.untrusted == "nobody"
    query = run.log.secrets.hide(query[:_QUERY_CHARS])
    meant = await near(run, memories, query, node, kinds=spec.kinds, trusted_only=trusted_only)
    found = await memories.search(query, limit=most, kinds=spec.kinds, trusted_only=trusted_only, near=meant.vector)
    shown = remembered(found, spec.tokens)
    await memories.recalled(shown.memories)
    run.log.note(
        ev.Recalled(
            node_id=node_id,
            input_digest=input_digest,
            entries=tuple(memory.id for memory in shown.memories),
            tokens=shown.tokens,
            text=shown.text,
            untrusted=any(memory.untrusted for memory in shown.memories),
            found_by="words" if meant.vector is None else "words and vectors",
            warning=meant.warning,
        )
    )
    return shown.text


async def remember(run: Run, job: Job, output: Json) -> None:
    """Keep a committed output for later runs where the node or the workflow says so; once, however often it is asked.

    Raises:
        JournalError: It could not be written.
    """
    spec, node = run.spec.memory, job.node
    if spec is None or run.memories is None or (node.id, job.input_digest) in run.view.remembered:
        return
    kind = _kind(spec, node)
    if kind is None:
        return
    memory = _memory(run, job, kind, run.log.secrets.hide(output))
    shown = run.view.recalled.get((node.id, job.input_digest))
    echo = shown is not None and memory.id in shown.entries
    kept = await run.memories.keep(memory, max_entries=spec.max_entries, echo=echo)
    run.log.note(
        ev.Remembered(
            node_id=node.id,
            input_digest=job.input_digest,
            entry=memory.id,
            subject=memory.subject,
            kept=kept,
            untrusted=memory.untrusted,
        )
    )


def _kind(spec: MemorySpec, node: Node) -> MemoryKind | None:
    if node.remember:
        return "fact"
    checked = node.kind in ("worker", "panel") and bool(node.checks or node.agree)
    return "result" if spec.remember == "checked" and checked else None


def _memory(run: Run, job: Job, kind: MemoryKind, output: Json) -> Memory:
    """Return what is kept of an output, as of the moment at which it was committed."""
    spec, node = run.spec.memory, job.node
    at = run.view.nodes[node.id].ended_at or time.time()
    untrusted = _untrusted(run, node)
    subject = run.log.secrets.hide(job.subject if kind == "fact" else _work(job))
    made = _last_attempt(run, job)
    return Memory(
        id=identify(kind, subject, trusted=not untrusted),
        kind=kind,
        subject=subject,
        text=as_text(output),
        value=output,
        origin=Origin(
            run_id=run.log.run_id,
            workflow=run.spec.name,
            node_id=node.id,
            input_digest=job.input_digest,
            model=made.model if made else "",
            checks=tuple(item.check for item in made.evidence if item.passed) if made else (),
        ),
        at=at,
        untrusted=untrusted,
        expires_at=at + spec.ttl if spec and spec.ttl is not None else None,
    )


def _untrusted(run: Run, node: Node) -> tuple[str, ...]:
    """Return whose text may be in an entry's subject or output, or none where all that was recalled is trusted.

    Labels follow from the plan alone, so `memory` stands for whatever may be recalled; here it is known what was.
    """
    label = _label(run, node)
    return tuple(sorted(label if run.view.recalled_untrusted else label - MEMORY))


def _label(run: Run, node: Node) -> Label:
    owner = run.view.plan.nodes.get(NodeId(node.id.partition("[")[0])) if run.view.plan else None
    if owner is None or owner.output is None or not is_choice(dict(owner.output)):
        return run.labels.output(node.id)
    return run.labels.value([owner.remember, owner.map], owner) if owner.remember else run.labels.read(owner)


def _work(job: Job) -> str:
    """Return the subject of a result: the goal, and what it was given."""
    given = {name: clip(value, _INPUT_CHARS) for name, value in job.values.items()}
    return f"{job.goal} {json.dumps(given, ensure_ascii=False)}" if given else job.goal


def _last_attempt(run: Run, job: Job) -> AttemptView | None:
    made = [item for item in run.view.nodes[job.node.id].attempts if item.input_digest == job.input_digest]
    return made[-1] if made else None
