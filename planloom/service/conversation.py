"""A run as a turn of a conversation: what fills its inputs, and what it answers."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from planloom.configs.load import Workflow
from planloom.core.json import Json, JsonObject
from planloom.core.result import RunResult
from planloom.service.problems import Fault, Problem
from planloom.service.progress import as_text, asks


class Said(Protocol):
    """A message, whatever protocol it came by."""

    @property
    def role(self) -> str:
        """Who says it."""
        ...

    @property
    def text(self) -> str:
        """What it says."""
        ...


def inputs_of(
    workflow: Workflow, said: Sequence[Said], given: Mapping[str, Json], pointer: str = "/messages"
) -> JsonObject:
    """Return the inputs that a conversation stands for.

    What is given by name is taken as it is. The last message of a user fills the string input `task`; without one, the
    only string input that must still be given; without one, the only string input there is. An array input named
    `messages` gets the whole conversation.

    Args:
        workflow: Whose inputs.
        said: The conversation, oldest first.
        given: Inputs by name.
        pointer: Where the conversation stands in the request.

    Raises:
        Problem: 422, a message of a user is needed, and there is none.
    """
    found = {**given}
    specs = {name: spec for name, spec in workflow.spec.inputs.items() if name not in found}
    texts = {name: spec.required for name, spec in specs.items() if spec.type == "string"}
    needed = [name for name, required in texts.items() if required]
    chosen = ["task"] if "task" in texts else needed or list(texts)
    if len(chosen) == 1:
        found[chosen[0]] = _last_of_user(said, pointer)
    if "messages" in specs and specs["messages"].type == "array":
        found["messages"] = [{"role": message.role, "content": message.text} for message in said]
    return found


def _last_of_user(said: Sequence[Said], pointer: str) -> str:
    texts = [message.text for message in said if message.role == "user"]
    if not texts:
        fault = Fault(pointer=pointer, detail="expected a message of a user, found none")
        raise Problem(422, "invalid", "The request does not fit.", errors=[fault])
    return texts[-1]


def answer_text(result: RunResult) -> str:
    """Return what a run at rest says to whoever asked: its output, or what it waits for.

    Raises:
        Problem: 422, it came to no output.
    """
    if result.status == "waiting":
        return asks(result.run_id, result.pending)
    if result.status == "done" or (result.status == "partial" and result.output is not None):
        return as_text(result.output)
    detail = f"Run {result.run_id} is {result.status}. {result.error}".strip()
    raise Problem(422, "run-failed", detail)
