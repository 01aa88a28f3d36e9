"""Which values are secret: told by the names of variables, and by where a workflow puts them.

- A variable whose name has a word such as `TOKEN`, `SECRET` or `PASSWORD`, or ends in `KEY`, `AUTH` or the like.
- A variable that `PLANLOOM_SECRETS` names, separated by commas.
- What a workflow takes from a variable of any name for `headers`, `auth`, `env` or `api_key_env`.
- The password of a URL that comes from a variable, its user where it has none, and what its query names so.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from planloom.configs.env import Taken
from planloom.configs.spec import WorkflowSpec
from planloom.core.secrets import Secrets, together

NAMED = "PLANLOOM_SECRETS"
_SECRET = re.compile(
    r"(^|_)(TOKEN|SECRET|(PG)?PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|APIKEY|JWT|COOKIE|AUTHORIZATION)(_|$)"
    r"|(^|_)(KEY|AUTH|PASS|PAT|DSN|SIGNATURE)$|_PWD$"
)
_ABOUT_ONE = re.compile(r"_(FILE|PATH|DIR|FOLDER|URL|URI|LIMIT|MAX|COUNT|NAME|ID|TYPE|TTL|ENV|SOCK)$")
_HOLDS_SECRETS = re.compile(r"tools\.[^.\[]+\.(http\.(headers|auth)|mcp\.(headers|env))\b")
_PLAIN = re.compile(r"PATH|HOME|USER|LOGNAME|LANG|LC_ALL|TMPDIR|PWD|SHELL|HOSTNAME|TZ|TERM")
_MAY_HOLD = ("tools.", "models.")


def is_secret_name(name: str) -> bool:
    """Tell whether a variable's name says that its value is secret."""
    shown = re.sub(r"[^A-Z0-9]+", "_", name.upper())
    return bool(_SECRET.search(shown)) and not _ABOUT_ONE.search(shown)


def misplaced(taken: Iterable[Taken]) -> Iterator[tuple[str, str]]:
    """Yield field and message of each secret that stands where it would be journaled or shown to a model."""
    for item in taken:
        if is_secret_name(item.name) and not item.field.startswith(_MAY_HOLD):
            message = (
                f"expected no secret, found ${{env:{item.name}}}: what stands here is journaled and shown to models;"
                " secrets go under `tools` (headers, auth, env, url), or a function reads the variable itself"
            )
            yield item.field, message


def secrets_of(spec: WorkflowSpec, taken: Iterable[Taken], env: Mapping[str, str]) -> Secrets:
    """Return the secrets of a workflow and of the environment it may see."""
    found = set(_of_environment(env))
    found.update(env.get(rung.api_key_env, "") for rung in spec.models.values())
    for item in taken:
        if _HOLDS_SECRETS.match(item.field) and not _PLAIN.fullmatch(item.name):
            found.add(item.value)
        found.update(_of_url(_text_at(spec, item.field)))
    return together(frozenset(found))


def secrets_of_environment(env: Mapping[str, str]) -> Secrets:
    """Return the secrets among the variables of an environment."""
    return together(frozenset(_of_environment(env)))


def _of_environment(env: Mapping[str, str]) -> Iterator[str]:
    named = {name.strip() for name in env.get(NAMED, "").split(",")}
    for name, value in env.items():
        if name in named or is_secret_name(name):
            yield value
        yield from _of_url(value)


def _text_at(spec: WorkflowSpec, field: str) -> str:
    """Return the whole text of a field in which a URL may stand."""
    part, _, rest = field.partition(".")
    name, _, place = rest.partition(".")
    if part == "models" and place == "base_url" and name in spec.models:
        return spec.models[name].base_url or ""
    tool = spec.tools.get(name) if part == "tools" else None
    if tool is None:
        return ""
    match place:
        case "sql" | "sql.url":
            return tool.sql if isinstance(tool.sql, str) else tool.sql.url if tool.sql else ""
        case "http.base_url":
            return (tool.http.base_url if tool.http else "") or ""
        case "mcp.url":
            return (tool.mcp.url if tool.mcp else "") or ""
        case _:
            return ""


def _of_url(text: str) -> Iterator[str]:
    """Yield what is secret in a URL: its password, a user without one, and values of its query."""
    if "://" not in text:
        return
    try:
        url = urlsplit(text)
        words = [url.password or url.username or ""]
    except ValueError:  # no URL
        return
    if not words[0] and not url.query:
        return
    yield from (words[0], unquote(words[0]))
    yield from (value for name, value in parse_qsl(url.query) if is_secret_name(name))
