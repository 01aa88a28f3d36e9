"""The workflow as people write it: every key, its unit, default and range."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from planloom.configs.agree import AgreeSpec
from planloom.configs.batch import BatchSpec
from planloom.configs.lane import LaneSpec
from planloom.configs.memory import MemorySpec
from planloom.configs.nodes import ID_PATTERN, FunctionRef, NodeSpec
from planloom.configs.planner import PlannerSpec
from planloom.configs.promotion import PinSpec, PromotedSpec
from planloom.configs.units import Count, PerMinute, Seconds, Words
from planloom.core.fields import FIELD_PATTERN
from planloom.core.json import JsonObject

Name = Annotated[
    str,
    StringConstraints(pattern=ID_PATTERN),
    Words("a name (a letter or _, then letters, digits, _ or -; at most 64)", "name"),
]
"""A letter or underscore, then letters, digits, `_` or `-`; at most 64."""

FieldName = Annotated[
    str,
    StringConstraints(pattern=FIELD_PATTERN),
    Words("a field of a result (id, items[].id or [].id)", "field"),
]
"""A path into a result: names, with `[]` for every element of a list."""


class Spec(BaseModel):
    """Base of all parts: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


class PriceSpec(Spec):
    """USD per million tokens; replaces the price table's figure."""

    input: float = Field(ge=0, allow_inf_nan=False)
    """USD per million input tokens."""
    output: float = Field(ge=0, allow_inf_nan=False)
    """USD per million output tokens."""
    cached: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """USD per million input tokens read from the provider's cache; the input price when left out."""


class RateSpec(Spec):
    """How fast a rung may be called."""

    requests: PerMinute | None = None
    """Requests, such as `500/min`."""
    tokens: PerMinute | None = None
    """Input and output tokens, such as `200k/min`."""


class ReasoningSpec(Spec):
    """How hard a reasoning model thinks."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"]
    """Passed to the provider as it is."""


class RungSpec(Spec):
    """One rung: a model and how to reach it."""

    model: str = Field(min_length=1)
    """`openai:NAME`, any server that speaks OpenAI's API (see `base_url`), or `rehearsal:NAME`, scripted."""
    base_url: str | None = None
    """Server, with its `/v1`; left out, `OPENAI_BASE_URL` or OpenAI's own."""
    api_key_env: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z_]\w{0,63}$"),
        Words("the name of an environment variable", "variable", hide=True),
    ] = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; never the key itself."""
    api: Literal["chat", "responses", "embeddings"] = "chat"
    """Chat Completions or Responses; `embeddings` for a model that `memory: {embeddings: NAME}` names."""
    structured: Literal["auto", "json_schema", "json_object", "tool", "prompt"] = "auto"
    """How a JSON reply is asked for; `auto` tries them in this order and remembers what the server takes."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Sent only when set; reasoning models refuse it."""
    reasoning: ReasoningSpec | None = None
    """Reasoning effort, for models that reason."""
    max_output_tokens: Count = 4096
    """Cap of one reply, reasoning tokens included; the budget reserves this much."""
    timeout: Seconds = 120.0
    """Seconds for one call in total, however the bytes drip."""
    retries: int = Field(default=3, ge=0, le=10)
    """Retries of transport faults, 429 and 5xx; honours Retry-After."""
    max_parallel: Count = 16
    """Calls under way at the same time."""
    rate: RateSpec = RateSpec()
    """Requests and tokens per minute."""
    price: PriceSpec | None = None
    """USD per million tokens; left out, the price table's."""
    batch: BatchSpec | None = None
    """Ask it through the provider's batch API: for lanes, and for nodes that name it; never part of the ladder."""
    script: str | None = None
    """Rehearsal script for a `rehearsal:` model, relative to the workflow file."""


class SqlSpec(Spec):
    """A database."""

    url: str
    """`sqlite:///FILE`, `postgresql://...`, `csv:FILE`, or `duckdb:` with a CSV, Parquet or DuckDB file, a folder (each
    file a table) or a glob (all files one table). Paths are relative to the workflow file."""
    max_rows: Count = 1000
    """Rows of one answer at most."""
    max_bytes: Count = 1_000_000
    """Bytes of one answer at most; rows beyond are left out, and the answer says so."""


class HttpSpec(Spec):
    """HTTP requests to named hosts."""

    base_url: str | None = None
    """Prefix of relative URLs; its host is allowed."""
    openapi: str | None = None
    """OpenAPI 3.0 or 3.1 document, a JSON or YAML file relative to the workflow: its operations become tools."""
    operations: tuple[str, ...] = ()
    """With `openapi`: operations by `operationId`; left out, those that `allow` names, else those that read."""
    auth: dict[str, str] = {}
    """With `openapi`: security scheme to secret, as `${env:NAME}`; for HTTP's basic scheme `user:password`."""
    allow: tuple[str, ...] = ()
    """`METHOD /path*` on the base URL, or `METHOD https://host/path*`; `GET` where no method is named."""
    headers: dict[str, str] = {}
    """Sent with every request to the base URL's host and to no other; take secrets from `${env:NAME}`."""
    idempotency_header: str | None = None
    """Header that carries the engine's key with requests that write, such as `Idempotency-Key`; no model can set it."""
    cache: bool = False
    """Keep answers by HTTP's own rules (Cache-Control, ETag, Vary): in memory, for one run, 50 MB at most."""
    max_bytes: Count = 1_000_000
    """Bytes of one answer at most, decompressed."""
    private: bool = False
    """Allow private and loopback addresses, for a service of your own."""


class FilesSpec(Spec):
    """Files under one folder."""

    root: str
    """Folder, relative to the workflow file."""
    max_bytes: Count = 1_000_000
    """Bytes of one read or write at most."""


class PythonSpec(Spec):
    """Python in the sandbox."""

    box: Literal["auto", "monty", "cpython"] = "auto"
    """`monty` runs anywhere; `cpython` has the installed libraries, on Linux; `auto` picks by the imports."""
    max_memory_mb: Count = 512
    """Memory of one run, in MiB."""
    files: bool = False
    """Hand back the files that the code leaves in its folder, at most 8 MiB together; takes the `cpython` box."""


class McpSpec(Spec):
    """An MCP server: a program of your machine, or a URL. Needs `planloom[mcp]`."""

    command: tuple[str, ...] = ()
    """Program and arguments, started in the workflow's folder; speaks over its standard input and output."""
    env: dict[str, str] = {}
    """The program's environment, besides PATH, HOME, USER, LANG, LC_ALL, TMPDIR; take secrets from `${env:NAME}`."""
    url: str | None = None
    """Endpoint of a server that speaks streamable HTTP; https, unless `private`."""
    headers: dict[str, str] = {}
    """Sent with every request; take secrets from `${env:NAME}`."""
    private: bool = False
    """Allow http and private and loopback addresses, for a service of your own."""
    start: Seconds = 60.0
    """Seconds for the server to answer first; a package runner may have to fetch it."""
    max_bytes: Count = 4_000_000
    """Bytes of one message of the server at most."""
    effects: dict[str, Literal["pure", "read", "write"]] = {}
    """What calling a tool does to the world, by the server's name for it; wins over `effect`."""


class TrustSpec(Spec):
    """Single fields of a tool's results that may be trusted; all others may hold what others wrote."""

    fields: tuple[FieldName, ...] = Field(min_length=1)
    """Fields that the system behind the tool makes itself and nobody else can write into, such as ids it assigns:
    `id`, `items[].id`, `[].id`."""


class ToolSpec(Spec):
    """A tool source: exactly one of `python`, `files`, `http`, `sql`, `mcp`, `ref`."""

    python: PythonSpec | None = None
    """Python in the sandbox: one operation, called by the source's own name."""
    files: FilesSpec | str | None = None
    """Files under one root: `.read`, `.list`, and with `access: write` also `.write`."""
    http: HttpSpec | None = None
    """HTTP: `.get`, and with other methods in `allow` also `.request`; with `openapi` one tool for each operation."""
    sql: SqlSpec | str | None = None
    """A database: `.query`, `.schema`, and with `access: write` also `.execute`."""
    mcp: McpSpec | None = None
    """An MCP server: its tools, each as `.NAME`."""
    allow: tuple[str, ...] | None = None
    """The tools of an MCP server that may be used, by the server's names; left out, all it has."""
    ref: FunctionRef | None = None
    """A Python function with type hints, `package.module:function`; a file beside the workflow comes first."""
    access: Literal["read", "write"] = "read"
    """What files and sql may do."""
    effect: Literal["pure", "read", "write"] | None = None
    """What calling it does to the world; left out: `read` for a function, known for the others.
    An MCP tool is `write`, unless the server is `trust: trusted` and says that the tool only reads."""
    trust: Literal["trusted", "untrusted"] | TrustSpec | None = None
    """Whether its results may hold what others wrote, or which fields of them do not; left out: `untrusted`, or what
    the function's `@tool` says."""
    control: tuple[str, ...] | None = None
    """Parameters that say where a call goes or what it does: untrusted values fill them only where a person granted it.
    Left out: known for the tools above, else all parameters of a `write` tool."""
    data: tuple[str, ...] | None = None
    """The other way round: all parameters but these are `control`."""
    verify: FunctionRef | None = None
    """Python function that finds out what became of a write that was cut off: see "Writes" in the guide."""
    description: str = ""
    """Shown to models in place of the tool's own description."""
    timeout: Seconds = 30.0
    """Seconds for one call."""
    max_parallel: Count = 8
    """Calls under way at the same time."""


class RouteSpec(Spec):
    """What follows a failed attempt, in this order: retry, vote, promote, replan, then."""

    repair: int = Field(default=1, ge=0, le=3)
    """Rounds in which a reply that breaks its schema goes back in the same dialogue."""
    retry: int = Field(default=1, ge=0, le=5)
    """Attempts on the same rung after a failed check, each with the evidence."""
    vote: AgreeSpec | None = None
    """Samples on the same rung before promoting."""
    promote: bool = True
    """Go one rung up the ladder."""
    lanes: dict[Name, LaneSpec] = {}
    """By rung: where a node starts instead while the plan ends no later for it, by what past runs of this name took."""
    deadline: Seconds | None = None
    """From the run's start: how late it may end for the sake of lanes; left out, no later than without them."""
    policy: str | None = Field(default=None, min_length=1)
    """Policy file of `planloom calibrate`; an answer that it doubts goes up, though its checks passed."""
    replan: int = Field(default=2, ge=0, le=10)
    """Replans in one run; only where `plan: auto`, or a planner is named."""
    then: Literal["stop", "ask"] = "stop"
    """What comes last: the node fails, or a human is asked."""


class BudgetSpec(Spec):
    """Caps of a run. No call is made that could pass one."""

    usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """US dollars."""
    tokens: Count | None = None
    """Input and output tokens together."""
    calls: Count | None = None
    """Model calls."""
    time: Seconds | None = None
    """Wall-clock time; at its end the run stops with what it has."""


class AskSpec(Spec):
    """What happens when a human is asked and does not answer."""

    timeout: Seconds | None = None
    """How long an answer is waited for, from the moment the question was put; left out, for ever."""
    default: Literal["reject", "approve"] = "reject"
    """What silence means for a plan or node that waits for approval; to any other question it means no."""


class InputSpec(Spec):
    """One input of the workflow: a JSON Schema fragment."""

    type: Literal["string", "number", "integer", "boolean", "array", "object"] = "string"
    """JSON type."""
    description: str = ""
    """Shown to the planner and in forms."""
    default: JsonValue = None
    """Used when the input is not given; an input without a default must be given."""
    enum: tuple[JsonValue, ...] | None = None
    """The only values allowed."""
    trust: Literal["trusted", "untrusted"] = "trusted"
    """`untrusted` if it may hold what others wrote, such as a mail to answer; planners then see only its size."""
    items: dict[str, JsonValue] | None = None
    """JSON Schema of an array's items."""
    properties: dict[str, dict[str, JsonValue]] | None = None
    """JSON Schemas of an object's properties."""

    @property
    def required(self) -> bool:
        """Whether the caller must give it."""
        return "default" not in self.model_fields_set

    def as_schema(self) -> JsonObject:
        """Return the JSON Schema a given value must fit."""
        schema: JsonObject = {"type": self.type}
        if self.enum is not None:
            schema["enum"] = list(self.enum)
        if self.items is not None:
            schema["items"] = self.items
        if self.properties is not None:
            schema["properties"] = dict[str, JsonValue](self.properties)
        return schema


class WorkflowSpec(Spec):
    """A whole workflow."""

    version: Literal[1]
    """Version of this format."""
    name: Name
    """Name of the workflow, shown in listings."""
    description: str = ""
    """What it is for."""
    base: Annotated[
        str, StringConstraints(pattern=r"^[^\x00]{1,1000}$"), Words("a folder relative to this file", "folder")
    ] = "."
    """Folder that relative paths start at, itself relative to this file."""
    promoted: PromotedSpec | None = None
    """Written by `planloom promote`: the run that this workflow was made of."""
    inputs: dict[Name, InputSpec] = {}
    """Inputs, read as `${inputs.NAME}`."""
    models: dict[Name, RungSpec] = Field(default={}, max_length=64)
    """Rungs by name."""
    ladder: tuple[Name, ...] = ()
    """Rungs from cheap to strong; left out, the models in the order they are written."""
    tools: dict[Name, ToolSpec] = Field(default={}, max_length=256)
    """Tool sources by name."""
    planner: PlannerSpec = PlannerSpec()
    """Who plans."""
    plan: Literal["auto", "static"] | None = None
    """`auto`: the planner writes the nodes. `static`: they stand under `nodes`. Left out, whichever fits."""
    nodes: dict[Name, NodeSpec] = Field(default={}, max_length=10_000)
    """The plan, written by hand."""
    route: RouteSpec = RouteSpec()
    """What follows a failed attempt."""
    budget: BudgetSpec = BudgetSpec()
    """Caps."""
    ask: AskSpec = AskSpec()
    """When a human does not answer."""
    memory: MemorySpec | None = None
    """What is kept for later runs; left out, nothing is kept and nothing recalled."""
    flows: Literal["hold", "refuse", "allow"] = "hold"
    """When an untrusted value would fill a `control` parameter and nobody granted it: wait for a human, tell the worker
    no, or let it through."""
    max_parallel: int = Field(default=16, ge=1, le=1000)
    """Nodes of this run under way at the same time."""
    output: JsonValue = None
    """Template of the run's output; left out, the outputs of all nodes that no other node reads."""
    pins: dict[str, PinSpec] = {}
    """What tools were, by operation: one that has changed since is refused before anything runs."""

    @property
    def auto(self) -> bool:
        """Whether the planner writes the plan."""
        return self.plan == "auto" or (self.plan is None and not self.nodes)

    @property
    def rungs(self) -> tuple[str, ...]:
        """The ladder, from cheap to strong."""
        return self.ladder or tuple(
            name for name, rung in self.models.items() if rung.api != "embeddings" and rung.batch is None
        )

    @property
    def planner_rung(self) -> str | None:
        """Rung that plans and replans; `None` when there is no model at all."""
        return self.planner.model or (self.rungs[-1] if self.rungs else None)

    @property
    def stronger_planners(self) -> tuple[str, ...]:
        """Rungs above all that plan: asked one by one where several planners do not agree."""
        agree = self.planner.agreement
        asked = {self.planner_rung, *(voice.model for voice in (agree.vary if agree else ()))}
        places = [self.rungs.index(rung) for rung in asked if rung in self.rungs]
        return self.rungs[max(places) + 1 :] if places else ()
