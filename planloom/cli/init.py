"""`planloom init`: a small project that runs at once, without a key."""

from pathlib import Path

import typer

from planloom.cli.hints import command
from planloom.core.errors import ConfigError, Problem

_WORKFLOW = """\
# yaml-language-server: $schema=./workflow.schema.json
version: 1
name: summary
description: Summarises a text in one sentence, and proves with code that the sentence is short.

inputs:                                   # given with --input NAME=VALUE, read as ${inputs.NAME}
  text:
    type: string
    description: Text to summarise
    default: >-
      The lighthouse keeper wrote down the weather every evening for forty years. Nobody had asked him to.
      After his death the notebooks went to the university, where they turned out to be the only unbroken
      record of storms on that coast, and they corrected every model of it.
  max_words: {type: integer, default: 20, description: Words of the summary at most}

models:                                   # rungs; both need OPENAI_API_KEY, or a --base-url of your own
  mini: {model: "openai:gpt-5-mini"}
  big: {model: "openai:gpt-5"}
ladder: [mini, big]                       # from cheap to strong: what fails its checks moves up

tools:
  count: {ref: "my_tools:count_words"}    # the typed function in my_tools.py

nodes:
  before:                                 # asks no model: one call of your function
    tool: count
    with: {text: "${inputs.text}"}

  summary:                                # asks a model; this reference makes the edge before -> summary
    goal: Summarise the text in one sentence of at most ${inputs.max_words} words.
    with:
      text: "${inputs.text}"
      words: "${nodes.before.output.words}"
      max_words: "${inputs.max_words}"
    tools: [count]                        # the model may call this tool, and nothing else
    output:
      type: object
      required: [summary]
      properties: {summary: {type: string}}
    checks:                               # done when these hold, not when the model says so
      - ref: my_tools:is_short            # called with the output and what stands under with

  after:
    tool: count
    with: {text: "${nodes.summary.output.summary}"}

route: {retry: 1, promote: true, then: stop}
budget: {usd: 0.10, calls: 20, time: 2m}  # no call is made that could pass a cap

output:
  summary: "${nodes.summary.output.summary}"
  words_before: "${nodes.before.output.words}"
  words_after: "${nodes.after.output.words}"
"""

_REHEARSAL = """\
# A script that answers in place of the models: planloom run workflow.yaml --rehearsal rehearsal.yaml
# Tools, checks, router, budget and journal are real; only the models are not, and every display says so.
rehearsal: 1
description: The mini model is too wordy twice, so the work moves up to the big one.
rules:                                    # the first rule that matches a request answers it
  - when: {node: summary, model: gpt-5-mini}
    json:
      summary: >-
        A lighthouse keeper who had never been asked to do so wrote down the weather every single evening for
        forty long years, and in the end his notebooks corrected every model of the storms on that coast.
  - when: {node: summary, model: gpt-5, tool_results: 0}
    tool_calls:
      - name: count
        args: {text: "A keeper's forty years of weather notes became the coast's only unbroken storm record."}
  - when: {node: summary, model: gpt-5}
    json:
      summary: A keeper's forty years of weather notes became the coast's only unbroken storm record.
"""

_TOOLS = '''\
"""Tools and checks of this project: plain Python functions with type hints."""


def count_words(text: str) -> dict[str, int]:
    """Count the words and characters of a text.

    Args:
        text: The text to count.
    """
    return {"words": len(text.split()), "characters": len(text)}


def is_short(output: dict[str, str], *, max_words: int, **given: object) -> bool | str:
    """Check a summary; a text says what is wrong, and the next attempt is shown it."""
    words = len(output["summary"].split())
    return words <= max_words or f"the summary has {words} words, at most {max_words} are allowed"
'''

_IGNORED = ".planloom/\n__pycache__/\n"


def write_project(folder: Path, *, force: bool) -> None:
    """Write the project and say what to do next.

    Raises:
        ConfigError: A file is already there, or the folder cannot be written to; nothing was written.
    """
    files = {
        "workflow.yaml": _WORKFLOW,
        "rehearsal.yaml": _REHEARSAL,
        "my_tools.py": _TOOLS,
        ".gitignore": _IGNORED,
        "workflow.schema.json": _schema(),
    }
    if folder.exists() and not folder.is_dir():
        raise ConfigError(folder, [Problem("expected a folder, found a file")])
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        problem = Problem(f"already there: {', '.join(there)}; --force overwrites them")
        raise ConfigError(folder, [problem])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(folder, [Problem(f"cannot be written to: {exc.strerror}")]) from exc
    typer.echo(_next_steps(folder, list(files)))


def _schema() -> str:
    import json

    from planloom.configs.schema import workflow_schema

    return json.dumps(workflow_schema(), indent=2, ensure_ascii=False) + "\n"


def _next_steps(folder: Path, files: list[str]) -> str:
    enter = [] if folder.resolve() == Path.cwd() else [f"  cd {folder}"]
    run, plan = command("run", "workflow.yaml"), command("explain", "workflow.yaml")
    rehearse = f"{run} --rehearsal rehearsal.yaml"
    wide = len(rehearse)
    return "\n".join(
        [
            f"wrote {', '.join(files)}",
            "next:",
            *enter,
            f"  {rehearse}   # no key, no network",
            f"  {plan:<{wide}}   # what it would do and cost",
            f"  {run:<{wide}}   # with OPENAI_API_KEY set",
        ]
    )
