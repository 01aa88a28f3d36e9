"""Tokens of an identity provider: what must be in them, and who signed them."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from jwt.algorithms import RSAAlgorithm
from ports import on_port
from service_support import Serve
from support import WAIT_S

from planloom.service.tokens import Issuer, tokens


@dataclass
class Provider:
    """An identity provider."""

    url: str
    key: RSAPrivateKey
    public: list[dict[str, object]]
    asked: int = 0

    def token(self, *, key: object = None, kid: str = "k1", **claims: object) -> str:
        said = {
            "iss": "https://id.example",
            "aud": "planloom",
            "sub": "ann",
            "exp": int(time.time()) + 600,
            "tenant": "acme",
            "role": "runner",
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, key or self.key, algorithm="RS256", headers={"kid": kid})  # type: ignore[arg-type]


def by_shared_secret(token: str, secret: bytes) -> str:
    """Sign a token's claims anew with HMAC: where the public key is taken for the secret, anybody can."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').rstrip(b"=")
    said = head + b"." + token.split(".")[1].encode()
    seal = base64.urlsafe_b64encode(hmac.digest(secret, said, "sha256")).rstrip(b"=")
    return (said + b"." + seal).decode()


def public_of(key: RSAPrivateKey, kid: str) -> dict[str, object]:
    return {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", "alg": "RS256"}


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    key = await asyncio.to_thread(rsa.generate_private_key, 65537, 2048)
    app, known = FastAPI(), Provider("", key, [public_of(key, "k1")])

    @app.get("/jwks")
    async def jwks() -> dict[str, object]:
        known.asked += 1
        return {"keys": known.public}

    async with on_port(app) as url:
        known.url = f"{url}/jwks"
        yield known


async def test_a_token_opens_its_tenant_and_nothing_opens_without_what_must_be_in_it(
    serve: Serve, provider: Provider
) -> None:
    issuer = Issuer(issuer="https://id.example", audience="planloom", jwks_url=provider.url)
    async with serve(auth=tokens(issuer)) as site, httpx.AsyncClient(base_url=f"{site.url}/v1", timeout=WAIT_S) as http:

        async def status(token: str, method: str = "GET", path: str = "/runs") -> int:
            body = {"json": {"workflow": "sum", "inputs": {"a": 1}}} if method == "POST" else {}
            return (await http.request(method, path, headers={"Authorization": f"Bearer {token}"}, **body)).status_code

        assert await status(provider.token(), "POST") == 202
        assert await status(provider.token(role="viewer"), "POST") == 403
        assert await status(provider.token(), "GET", "/audit") == 403
        other = (await http.get("/runs", headers={"Authorization": f"Bearer {provider.token(tenant='rival')}"})).json()
        assert other["runs"] == []
        assert await status(await site.key()) == 200  # keys go beside tokens
        stranger = await asyncio.to_thread(rsa.generate_private_key, 65537, 2048)
        public = provider.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        refused = {
            "another audience": provider.token(aud="shop"),
            "another issuer": provider.token(iss="https://evil.example"),
            "expired": provider.token(exp=int(time.time()) - 60),
            "no expiry": provider.token(exp=None),
            "no subject": provider.token(sub=None),
            "no audience": provider.token(aud=None),
            "another's signature": provider.token(key=stranger),
            "an unknown key": provider.token(kid="k2"),
            "the public key as a shared secret": by_shared_secret(provider.token(), public),
            "no signature": provider.token().rpartition(".")[0] + ".",
            "no tenant": provider.token(tenant=None),
            "a tenant that is no text": provider.token(tenant=["acme"]),
            "an unknown role": provider.token(role="root"),
            "no token": "a.b.c",
        }
        assert {name: await status(token) for name, token in refused.items()} == dict.fromkeys(refused, 401)


async def test_an_issuer_that_cannot_be_reached_is_no_fault_of_the_caller(serve: Serve, provider: Provider) -> None:
    issuer = Issuer(issuer="https://id.example", audience="planloom", jwks_url="http://127.0.0.1:9/jwks")
    async with serve(auth=tokens(issuer)) as site, httpx.AsyncClient(base_url=f"{site.url}/v1", timeout=WAIT_S) as http:
        reply = await http.get("/runs", headers={"Authorization": f"Bearer {provider.token()}"})
        assert (reply.status_code, reply.json()["type"]) == (503, "urn:planloom:problem:unavailable")


async def test_a_new_key_of_the_issuer_is_fetched_and_unknown_ones_do_not_make_it_be_asked_each_time(
    serve: Serve, provider: Provider
) -> None:
    issuer = Issuer(issuer="https://id.example", audience="planloom", jwks_url=provider.url, refetch_s=0)
    patient = replace(issuer, refetch_s=600)
    fresh = await asyncio.to_thread(rsa.generate_private_key, 65537, 2048)

    async def status(url: str, token: str) -> int:
        async with httpx.AsyncClient(timeout=WAIT_S) as http:
            return (await http.get(f"{url}/v1/runs", headers={"Authorization": f"Bearer {token}"})).status_code

    async with serve(auth=tokens(issuer)) as site, serve(auth=tokens(patient)) as other:
        for url in (site.url, other.url):
            assert await status(url, provider.token()) == 200
        provider.public = [public_of(fresh, "k2")]
        asked = provider.asked
        assert await status(site.url, provider.token(key=fresh, kid="k2")) == 200
        assert await status(site.url, provider.token()) == 401  # withdrawn
        assert provider.asked > asked
        asked = provider.asked
        assert [await status(other.url, provider.token(kid=f"x{n}")) for n in range(5)] == [401] * 5
        assert provider.asked == asked
