"""Data as YAML that people edit."""

import yaml

from planloom.core.json import Json


def as_yaml(value: Json) -> str:
    """Write `value` in the order it has; texts of several lines stand as blocks."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """A dumper of our own, so that the way texts are written changes for nobody else."""


def _text(_: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
