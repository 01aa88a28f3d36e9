"""Which values are secret, and where none may stand."""

import pytest

from planloom.configs.load import Workflow
from planloom.configs.secrets import is_secret_name
from planloom.core.errors import ConfigError

BASE = {"version": 1, "name": "w", "nodes": {"n": {"code": "1"}}}
VALUE = "value-0123456789"


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY",
        "GITHUB_TOKEN",
        "token",
        "DB_PASSWORD",
        "PGPASSWORD",
        "DB_PWD",
        "JWT",
        "AWS_SECRET_ACCESS_KEY",
        "X_AUTH",
    ],
)
def test_names_that_say_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "PWD",
        "OLDPWD",
        "HOME",
        "MAX_TOKENS",
        "TOKEN_LIMIT",
        "KEY_FILE",
        "SSH_AUTH_SOCK",
        "AUTHOR",
        "MONKEY",
        "AWS_ACCESS_KEY_ID",
    ],
)
def test_names_that_do_not(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("part", "env"),
    [
        ({}, {"SOME_TOKEN": VALUE}),
        ({}, {"PLANLOOM_SECRETS": "A, ODD", "ODD": VALUE}),
        ({}, {"DATABASE": f"postgresql://me:{VALUE}@db/x"}),
        ({}, {"SERVER": f"https://{VALUE}@host/v1"}),
        ({}, {"SERVER": f"https://host/v1?api_key={VALUE}&page=2"}),
        ({"models": {"m": {"model": "openai:m", "api_key_env": "ODD"}}}, {"ODD": VALUE}),
        ({"models": {"m": {"model": "openai:m", "base_url": "https://u:${env:ODD}@h/v1"}}}, {"ODD": VALUE}),
        ({"tools": {"t": {"http": {"base_url": "https://h", "headers": {"X": "a ${env:ODD}"}}}}}, {"ODD": VALUE}),
        ({"tools": {"t": {"mcp": {"command": ["x"], "env": {"A": "${env:ODD}"}}}}}, {"ODD": VALUE}),
        ({"tools": {"t": {"mcp": {"url": "https://h", "headers": {"A": "${env:ODD}"}}}}}, {"ODD": VALUE}),
        ({"tools": {"t": {"sql": "postgresql://u:${env:ODD}@h/d"}}}, {"ODD": VALUE}),
        ({"tools": {"t": {"sql": {"url": "postgresql://u:${env:ODD}@h/d"}}}}, {"ODD": VALUE}),
    ],
)
def test_what_is_taken_for_a_secret(part: dict[str, object], env: dict[str, str]) -> None:
    secrets = Workflow.from_dict({**BASE, **part}, env=env).secrets
    assert secrets.hide(f"it is {VALUE}.") == "it is ***."


def test_other_values_of_the_environment_are_none() -> None:
    tools = {"t": {"mcp": {"command": ["x"], "env": {"HOME": "${env:HOME}"}}}, "f": {"files": "${env:ROOT_FOLDER}"}}
    env = {"HOME": "/home/somebody", "ROOT_FOLDER": "/srv/folder", "SITE": "https://example.com/page?next=2"}
    assert len(Workflow.from_dict({**BASE, "tools": tools}, env=env).secrets) == 0


@pytest.mark.parametrize(
    ("field", "data"),
    [
        ("nodes.n.goal", {"nodes": {"n": {"goal": "use ${env:MY_TOKEN}"}}}),
        ("nodes.n.with.key", {"nodes": {"n": {"code": "1", "with": {"key": "${env:MY_TOKEN}"}}}}),
        ("output", {"output": "${env:MY_TOKEN:-none}"}),
        ("inputs.a.default", {"inputs": {"a": {"type": "string", "default": "${env:MY_TOKEN}"}}}),
    ],
)
def test_a_secret_where_it_would_be_journaled_or_shown_to_a_model_is_refused(
    field: str, data: dict[str, object]
) -> None:
    with pytest.raises(ConfigError) as caught:
        Workflow.from_dict({**BASE, **data}, env={"MY_TOKEN": VALUE})
    (problem,) = caught.value.problems
    assert problem.field == field
    assert "a function reads the variable itself" in problem.message
    assert VALUE not in str(caught.value)
