"""Data as YAML that people edit."""

from collections.abc import Iterable

import yaml

from planloom.configs.scalars import read_plain
from planloom.core.json import Json, JsonObject

_FLOW_CHARS = 80


class _FlowList(list[Json]):
    """A list that stands on one line."""


class _FlowMap(dict[str, Json]):
    """A mapping that stands on one line."""


def as_yaml(value: Json) -> str:
    """Write `value` in the order it has: short parts on one line, texts of several lines as blocks."""
    folded: Json = {key: _folded(item) for key, item in value.items()} if isinstance(value, dict) else value
    return yaml.dump(folded, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _folded(value: Json) -> Json:
    if isinstance(value, dict):
        inside: JsonObject = {key: _folded(item) for key, item in value.items()}
        return _FlowMap(inside) if _is_short([*inside, *inside.values()]) else inside
    if isinstance(value, list):
        items = [_folded(item) for item in value]
        return _FlowList(items) if _is_short(items) else items
    return value


def _is_short(parts: Iterable[Json]) -> bool:
    """Tell whether parts fit on one line, and are plain enough to be read there."""
    size = 0
    for part in parts:
        if isinstance(part, dict | list) or (isinstance(part, str) and ("\n" in part or "${" in part)):
            return False
        size += len(str(part)) + 2
    return size <= _FLOW_CHARS


class _Dumper(yaml.SafeDumper):
    """A dumper of our own, so that the way texts are written changes for nobody else."""


def _text(_: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if _misread(text) else None
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=style)


def _misread(text: str) -> bool:
    """Tell whether a text without quotes would be read as something else by our own rules, which are YAML 1.2's."""
    try:
        return read_plain(text) != text
    except ValueError:
        return True


def _flow_list(dumper: yaml.SafeDumper, items: _FlowList) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=True)


def _flow_map(dumper: yaml.SafeDumper, items: _FlowMap) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", items.items(), flow_style=True)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_FlowList, _flow_list)
_Dumper.add_representer(_FlowMap, _flow_map)
