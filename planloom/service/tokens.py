"""Callers by JSON Web Tokens that an identity provider has signed."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import jwt
from fastapi import Request

from planloom.service.caller import Authenticate, Caller, api_keys, bearer, unauthorized
from planloom.service.problems import Problem
from planloom.state.keys import ROLES, Keys

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a private key; a shared secret (`HS256`) or none at all is never accepted."""

_KEYS_LAST_S = 300
"""A key that the issuer has withdrawn opens nothing after so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose tokens are accepted, and what they must say."""

    issuer: str
    """`iss`."""
    audience: str
    """`aud`: this service."""
    jwks_url: str
    """Where the public keys are."""
    tenant_claim: str = "tenant"
    role_claim: str = "role"
    refetch_s: float = 10.0
    """Seconds between fetches at least, where tokens name keys that are not known."""


def tokens(issuer: Issuer) -> Authenticate:
    """Know callers by `Authorization: Bearer TOKEN` with tokens of an issuer, and by API keys beside it."""
    client = _Jwks(issuer.jwks_url, lifespan=_KEYS_LAST_S, cooldown_duration=issuer.refetch_s, timeout=5)

    async def known(request: Request, keys: Keys) -> Caller:
        token = bearer(request)
        if token.count(".") != 2:
            return await api_keys(request, keys)
        try:
            claims = await asyncio.to_thread(_claims, client, issuer, token)
        except jwt.PyJWKClientConnectionError as exc:
            raise Problem(
                503, "unavailable", "The keys of the issuer cannot be had.", headers={"Retry-After": "5"}
            ) from exc
        except (jwt.PyJWTError, ValueError) as exc:
            raise unauthorized("This token is not accepted.") from exc
        return _caller(claims, issuer)

    return known


class _Jwks(jwt.PyJWKClient):
    """The issuer's keys; while it does not answer it is not asked again for each token, each in turn."""

    _ask_from = 0.0

    def fetch_data(self) -> object:
        if time.monotonic() < self._ask_from:
            raise jwt.PyJWKClientConnectionError("the issuer did not answer a moment ago")
        try:
            return super().fetch_data()
        except jwt.PyJWKClientConnectionError:
            self._ask_from = time.monotonic() + self.cooldown_duration
            raise


def _claims(client: jwt.PyJWKClient, issuer: Issuer, token: str) -> Mapping[str, object]:
    key = client.get_signing_key_from_jwt(token)
    claims: Mapping[str, object] = jwt.decode(
        token,
        key,
        algorithms=list(_ALGORITHMS),
        audience=issuer.audience,
        issuer=issuer.issuer,
        options={"require": ["exp", "aud", "iss", "sub"]},
    )
    return claims


def _caller(claims: Mapping[str, object], issuer: Issuer) -> Caller:
    tenant, said = claims.get(issuer.tenant_claim), claims.get(issuer.role_claim)
    role = ROLES.get(said) if isinstance(said, str) else None
    if not isinstance(tenant, str) or not 0 < len(tenant) <= 64 or role is None:
        raise unauthorized(f"The token must name a tenant ({issuer.tenant_claim}) and a role ({issuer.role_claim}).")
    expires_at = float(str(claims["exp"]))
    return Caller(tenant=tenant, role=role, name=f"subject {str(claims['sub'])[:100]}", expires_at=expires_at)
