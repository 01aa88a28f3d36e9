"""Bodies of the routes that speak OpenAI's protocol."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from planloom.core.events import Status


class Lenient(BaseModel):
    """Base of requests: what only a model could heed, such as a temperature, is taken and not used."""

    model_config = ConfigDict(extra="ignore")


class ContentPart(Lenient):
    """A piece of a message's content."""

    type: Literal["text", "input_text", "output_text"]
    text: str


class Message(Lenient):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        """What it says."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(Lenient):
    """How a stream is to be."""

    include_usage: bool | None = Field(default=None, description="A last chunk says what the run took.")


class ChatRequest(Lenient):
    """A run, asked for as a chat completion."""

    model: str = Field(description="Name of a workflow.", max_length=200)
    messages: list[Message] = Field(min_length=1, description="The last one of a user fills the workflow's text input.")
    inputs: dict[str, JsonValue] = Field(default={}, description="Values of other inputs by name (`extra_body`).")
    metadata: dict[str, str] | None = Field(
        default=None, description="`inputs` in it is read as a JSON object, for clients that can send nothing else."
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    progress: Literal["reasoning", "content", "none"] = Field(
        default="reasoning", description="Where a stream tells what the run does: `reasoning_content`, or the answer."
    )
    n: Literal[1] | None = None


class WaitsFor(BaseModel):
    """Something that waits for a person."""

    node: str
    reason: str
    bound_to: str


class AboutRun(BaseModel):
    """The run behind a completion."""

    run_id: str
    status: Status
    cost_usd: float
    pending: list[WaitsFor]


class AnswerMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The only choice there is."""

    index: int = 0
    message: AnswerMessage
    logprobs: None = None
    finish_reason: Literal["stop"] = "stop"


class TokenDetails(BaseModel):
    """Tokens that are part of others."""

    cached_tokens: int = 0
    reasoning_tokens: int = 0


class CompletionUsage(BaseModel):
    """Tokens of all calls of the run."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: TokenDetails
    completion_tokens_details: TokenDetails


class Completion(BaseModel):
    """A run at rest."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str = Field(description="The run's id.")
    choices: list[Choice]
    usage: CompletionUsage
    planloom: AboutRun


class Model(BaseModel):
    """A workflow."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["planloom"] = "planloom"


class ModelList(BaseModel):
    """All workflows."""

    object: Literal["list"] = "list"
    data: list[Model]


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorEnvelope(BaseModel):
    """An error, as OpenAI's clients read it."""

    error: ErrorBody
