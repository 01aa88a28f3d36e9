"""Bodies of the routes that speak OpenAI's Responses API."""

from typing import Literal, Self

from pydantic import BaseModel, Field, JsonValue, model_validator

from planloom.service.answering import ID, Reply
from planloom.service.chat_shapes import AboutRun, ContentPart, Lenient
from planloom.service.shapes import Verdict


class InputItem(Lenient):
    """A message, an answer to what waits, or an item of an earlier answer that says nothing new."""

    type: Literal["message", "mcp_approval_response", "mcp_approval_request", "reasoning"] = "message"
    role: Literal["system", "developer", "user", "assistant"] = "user"
    content: str | list[ContentPart] | None = None
    approval_request_id: str | None = Field(default=None, description="Id of the request that is answered.", pattern=ID)
    approve: bool = Field(default=False, description="The answer.")
    reason: str | None = Field(default=None, description="Told to the worker, and kept.", max_length=20_000)

    @model_validator(mode="after")
    def _names_what_it_answers(self) -> Self:
        if self.type == "mcp_approval_response" and self.approval_request_id is None:
            raise ValueError("approval_request_id: an answer needs the id of what it answers")
        return self

    @property
    def reply(self) -> Reply | None:
        """The answer that it gives, where it gives one."""
        if self.type != "mcp_approval_response" or self.approval_request_id is None:
            return None
        return Reply(self.approval_request_id, Verdict(approved=self.approve, note=self.reason or ""))

    @property
    def text(self) -> str:
        """What it says."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class ResponseRequest(Lenient):
    """A run, asked for as a response."""

    model: str = Field(description="Name of a workflow.", max_length=200)
    input: str | list[InputItem] = Field(description="The last message of a user fills the workflow's text input.")
    inputs: dict[str, JsonValue] = Field(default={}, description="Values of other inputs by name (`extra_body`).")
    metadata: dict[str, str] | None = Field(
        default=None, description="`inputs` in it is read as a JSON object, for clients that can send nothing else."
    )
    instructions: str | None = Field(default=None, description="The first message of the conversation.")
    previous_response_id: str | None = Field(
        default=None, description="Its conversation comes before this input, for workflows with an input `messages`."
    )
    background: bool | None = Field(default=None, description="Answer at once; the run goes on, to be looked at.")
    stream: bool | None = None


class InputDetails(BaseModel):
    """Tokens that are part of the input."""

    cached_tokens: int
    cache_write_tokens: int


class OutputDetails(BaseModel):
    """Tokens that are part of the output."""

    reasoning_tokens: int


class ResponseUsage(BaseModel):
    """Tokens of all calls of the run."""

    input_tokens: int
    input_tokens_details: InputDetails
    output_tokens: int
    output_tokens_details: OutputDetails
    total_tokens: int


class ResponseFailure(BaseModel):
    """Why there is no output."""

    code: Literal["server_error"]
    message: str


class ResponseShape(BaseModel):
    """A run as it stands."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    model: str
    status: Literal["completed", "failed", "in_progress", "cancelled"]
    error: ResponseFailure | None
    incomplete_details: None = None
    instructions: None = None
    metadata: dict[str, str]
    output: list[dict[str, JsonValue]] = Field(description="Progress, what waits for a person, and the answer.")
    parallel_tool_calls: bool
    temperature: None = None
    tool_choice: Literal["auto"] = "auto"
    tools: list[dict[str, JsonValue]]
    top_p: None = None
    previous_response_id: str | None = None
    usage: ResponseUsage | None
    planloom: AboutRun
