"""What an MCP tool returned, as JSON."""

from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic import TypeAdapter

from planloom.core.json import Json, JsonObject

_JSON: TypeAdapter[Json] = TypeAdapter(Json)


def as_json(result: CallToolResult) -> Json:
    """Return the structured content; without one, the text; where there is more than text, a list of parts.

    Pictures, sound and binary resources are told of, not carried: their parts say kind, type and size.
    """
    if result.structured_content is not None:
        return _JSON.validate_python(result.structured_content)
    if all(isinstance(block, TextContent) for block in result.content):
        return text_of(result)
    return [_part(block) for block in result.content]


def text_of(result: CallToolResult) -> str:
    """Return its text, one block a line."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def _part(block: ContentBlock) -> Json:
    match block:
        case TextContent():
            return {"type": "text", "text": block.text}
        case ImageContent() | AudioContent():
            return {"type": block.type, "mime_type": block.mime_type, "size_bytes": len(block.data) * 3 // 4}
        case ResourceLink():
            link: JsonObject = {"type": "resource_link", "uri": str(block.uri), "name": block.name}
            about: JsonObject = {"mime_type": block.mime_type, "description": block.description}
            return link | {key: value for key, value in about.items() if value is not None}
        case EmbeddedResource():
            return _resource(block)


def _resource(block: EmbeddedResource) -> JsonObject:
    held = block.resource
    part: JsonObject = {"type": "resource", "uri": str(held.uri), "mime_type": held.mime_type}
    if isinstance(held, TextResourceContents):
        return part | {"text": held.text}
    return part | {"size_bytes": len(held.blob) * 3 // 4}
