"""How a workflow says that its tools are to be guarded, and what is wrong with it."""

from collections.abc import Iterator, Sequence

from planloom.configs.spec import ToolSpec, TrustSpec
from planloom.core.errors import Problem
from planloom.core.fields import has_field, write_field
from planloom.tools.base import Tool, marked


def guarded_by(spec: ToolSpec, tool: Tool) -> Tool:
    """Return a tool guarded as its spec says; what the spec leaves out is as the tool's owner said."""
    fields = spec.trust.fields if isinstance(spec.trust, TrustSpec) else None
    trust = None if isinstance(spec.trust, TrustSpec) else spec.trust
    return marked(tool, trust=trust, fields=fields, control=spec.control, data=spec.data)


def strange_marks(name: str, spec: ToolSpec, tools: Sequence[Tool]) -> Iterator[Problem]:
    """Yield what is wrong with the parameters and fields that are named for a source."""
    if spec.control is not None and spec.data is not None:
        yield Problem("expected at most one of control, data; found both", f"tools.{name}.data")
    known = {parameter for tool in tools for parameter in tool.names}
    for field, names in (("control", spec.control), ("data", spec.data)):
        for index, parameter in enumerate(names or ()):
            if known and parameter not in known:
                message = f"no parameter {parameter!r}; there are: {', '.join(sorted(known))}"
                yield Problem(message, f"tools.{name}.{field}[{index}]")
    yield from _strange_fields(name, spec, [guarded_by(spec, tool) for tool in tools])


def _strange_fields(name: str, spec: ToolSpec, tools: Sequence[Tool]) -> Iterator[Problem]:
    """Yield the trusted fields that no result of the source can have."""
    written = spec.trust.fields if isinstance(spec.trust, TrustSpec) else ()
    named = {path for tool in tools for path in tool.trusted_fields}
    for text, path in sorted((write_field(path), path) for path in named):
        place = f"tools.{name}.trust.fields[{written.index(text)}]" if text in written else f"tools.{name}"
        if all(tool.effect == "pure" for tool in tools):
            yield Problem(f"{text}: a pure tool passes on what it is given and makes no field itself", place)
        elif not any(has_field(True if tool.returns is None else tool.returns, path) for tool in tools):
            yield Problem(f"{text}: its results have no such field", place)
