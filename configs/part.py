"""The base of everything that is a part of a node in a file."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Base of a node's parts: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)
