"""Who asks, and what they may do."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fastapi import Request

from planloom.service.problems import Problem
from planloom.state.keys import Keys, Role
from planloom.state.owners import LOCAL

Permission: TypeAlias = Literal["read", "run", "approve", "audit"]
_MAY: Mapping[Role, frozenset[Permission]] = {
    "viewer": frozenset({"read"}),
    "runner": frozenset({"read", "run"}),
    "approver": frozenset({"read", "approve"}),
    "admin": frozenset({"read", "run", "approve", "audit"}),
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Someone whose identity is known."""

    tenant: str
    role: Role
    name: str
    """For the audit log: `key 3f2a...`, or a token's subject."""
    key_id: str = ""
    """Streams end soon after this key is revoked; empty for callers without one of ours."""
    expires_at: float | None = None
    """Streams end then, in seconds since the epoch; `None` for never."""

    def may(self, permission: Permission) -> bool:
        """Tell whether the role allows something."""
        return permission in _MAY[self.role]


Authenticate: TypeAlias = Callable[[Request, Keys], Awaitable[Caller]]
"""Tells who sent a request, or raises a `Problem` with status 401."""


async def api_keys(request: Request, keys: Keys) -> Caller:
    """Know callers by `Authorization: Bearer KEY`, with keys made by `planloom keys create`."""
    key = await keys.check(bearer(request))
    if key is None:
        raise unauthorized("This key opens nothing.")
    return Caller(
        tenant=key.tenant, role=key.role, name=f"key {key.key_id}", key_id=key.key_id, expires_at=key.expires_at
    )


def anyone(tenant: str = LOCAL, role: Role = "admin") -> Authenticate:
    """Take every request for one tenant's: for an app that has asked who it is already."""

    async def known(request: Request, keys: Keys) -> Caller:
        return Caller(tenant=tenant, role=role, name=tenant)

    return known


async def this_machine(request: Request, keys: Keys) -> Caller:
    """Take every request that was meant for this machine for its owner's.

    A page of another site that is open in a browser here may send requests as well, by a name of its own that it lets
    point here, or across origins: both are refused.
    """
    origin = request.headers.get("origin")
    if request.url.hostname not in _LOOPBACK or (origin and origin != f"{request.url.scheme}://{request.url.netloc}"):
        raise Problem(403, "forbidden", "Without keys only requests from this machine to itself are answered.")
    return Caller(tenant=LOCAL, role="admin", name=LOCAL)


def bearer(request: Request) -> str:
    """Return the token of a request.

    Raises:
        Problem: There is none.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("Send `Authorization: Bearer KEY`.")
    return token.strip()


def unauthorized(detail: str) -> Problem:
    """Return the problem of a caller who is not known."""
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
