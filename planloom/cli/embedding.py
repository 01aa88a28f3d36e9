"""The embedding model that a search of memories asks: a workflow's, or one named on the command line."""

from dataclasses import dataclass, field
from pathlib import Path

from planloom.cli.given import check_base_url, find_script
from planloom.configs.load import Workflow
from planloom.configs.spec import RungSpec
from planloom.core.errors import ConfigError, Problem
from planloom.core.secrets import Secrets
from planloom.models.script import Script, load_script, scripts_of


@dataclass(frozen=True, slots=True)
class Asked:
    """An embedding model, and what it must not be told."""

    name: str
    spec: RungSpec
    script: Script | None = None
    secrets: Secrets = field(default_factory=Secrets)


def scope_of(workflow: Workflow) -> str:
    """Return the namespace in which a workflow keeps.

    Raises:
        ConfigError: It has no memory.
    """
    spec = workflow.spec
    if spec.memory is None:
        raise ConfigError(workflow.source, [Problem("expected a workflow that has one, found none", "memory")])
    return spec.memory.scope or spec.name


def asked_by(
    workflow: Workflow | None, model: str | None, *, base_url: str | None, rehearsal: Path | None
) -> Asked | None:
    """Return the model named on the command line, else the workflow's; `None` where there is none.

    Raises:
        ConfigError: A rehearsal or a server is given for no model, or cannot be used.
    """
    check_base_url(base_url)
    given = find_script(rehearsal)
    script = load_script(given) if given is not None else None
    named = workflow.spec.memory.embeddings if workflow and workflow.spec.memory else None
    secrets = workflow.secrets if workflow else Secrets()
    if model == "":
        raise ConfigError("command line", [Problem("expected openai:NAME, found nothing", "--embed")])
    if model is not None:
        return Asked("embed", RungSpec(model=model, api="embeddings", base_url=base_url), script, secrets)
    if workflow is None or named is None:
        if base_url is not None or script is not None:
            raise ConfigError("command line", [Problem("expected a model to ask, found none", "--embed")])
        return None
    spec = workflow.spec.models[named]
    there = spec.model_copy(update={"base_url": base_url}) if base_url else spec
    return Asked(named, there, script or scripts_of({named: spec}, workflow.base_dir).get(named), secrets)
