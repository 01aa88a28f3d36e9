"""The request of an AG-UI client, `RunAgentInput`, as far as it is read here."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool, model_validator
from pydantic.alias_generators import to_camel

from planloom.service.answering import ID, Reply
from planloom.service.shapes import Verdict


class Sent(BaseModel):
    """Base of all: what a newer client sends besides is left aside, as the protocol wants it."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)


class AgentMessage(Sent):
    """A message of the conversation. Of its content only text is read; no run may fail for the rest."""

    id: str
    role: Literal["developer", "system", "assistant", "user", "tool", "activity", "reasoning"]
    content: JsonValue = None

    @property
    def text(self) -> str:
        """What it says."""
        if isinstance(self.content, list):
            parts = [part.get("text") for part in self.content if isinstance(part, dict) and part.get("type") == "text"]
            return "\n".join(part for part in parts if isinstance(part, str))
        return self.content if isinstance(self.content, str) else ""


class AgentContext(Sent):
    """Something the application knows."""

    description: str
    value: str


class ResumeEntry(Sent):
    """An answer to an interrupt."""

    interrupt_id: str = Field(pattern=ID)
    status: Literal["resolved", "cancelled"] = Field(description="`cancelled` is taken as a refusal.")
    payload: Verdict | StrictBool | None = Field(default=None, description="As `responseSchema` says.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.status == "resolved" and self.payload is None:
            raise ValueError("payload: an interrupt that is resolved needs an answer")
        return self

    @property
    def reply(self) -> Reply:
        """The answer in full."""
        if self.status == "resolved" and isinstance(self.payload, Verdict):
            return Reply(self.interrupt_id, self.payload)
        return Reply(self.interrupt_id, Verdict(approved=self.status == "resolved" and self.payload is True))


class AgentInput(Sent):
    """A run of the protocol: one of the workflow from its start, or what follows the answers to its interrupts."""

    thread_id: str
    run_id: str
    messages: list[AgentMessage] = Field(description="The last one of a user fills the workflow's text input.")
    context: list[AgentContext] | None = Field(default=None, description="Fills an array input named `context`.")
    forwarded_props: JsonValue = Field(default=None, description="`inputs` in it holds values of other inputs by name.")
    resume: list[ResumeEntry] | None = Field(
        default=None, description="Answers to interrupts of one run, which goes on; nothing else is read then."
    )
