"""Keys of a service's callers: `pl_ID_SECRET`, of which only the SHA-256 is kept.

The secret has 256 random bits, so that a plain digest is as good as a slow one: there is nothing to guess.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sqlalchemy import RowMapping, insert, select, update

from planloom.core.errors import RunError
from planloom.state.journal import Journal
from planloom.state.tables import api_keys

Role: TypeAlias = Literal["viewer", "runner", "approver", "admin"]
"""`viewer` reads; `runner` starts, stops and resumes as well; `approver` reads and answers; `admin` may do all."""
ROLES: Mapping[str, Role] = {"viewer": "viewer", "runner": "runner", "approver": "approver", "admin": "admin"}
_PREFIX = "pl"
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is known of a key. Times are seconds since the epoch."""

    key_id: str
    tenant: str
    role: Role
    note: str
    created_at: float
    expires_at: float | None
    revoked_at: float | None

    @property
    def holds(self) -> bool:
        """Whether it opens anything now."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > time.time())


class Keys:
    """The keys in one journal's database.

    Raises:
        JournalError: Every method, when the database cannot be read or written.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def create(self, tenant: str, role: Role, *, note: str = "", lifetime_s: float | None = None) -> str:
        """Make a key and return it: it is shown this once."""
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        now = time.time()
        row = {
            "key_id": key_id,
            "hash": _digest(secret),
            "tenant": tenant,
            "role": role,
            "note": note,
            "created_at": now,
            "expires_at": None if lifetime_s is None else now + lifetime_s,
        }
        await self._journal.transact(lambda connection: connection.execute(insert(api_keys).values(row)))
        return f"{_PREFIX}_{key_id}_{secret}"

    async def check(self, key: str) -> ApiKey | None:
        """Return what a key opens; `None` for one that opens nothing. Takes the same time for every secret."""
        prefix, _, rest = key.partition("_")
        key_id, _, secret = rest.partition("_")
        row = await self._row(key_id)
        same = hmac.compare_digest(_digest(secret), _NOBODY if row is None else str(row["hash"]))
        if row is None or not same or prefix != _PREFIX:
            return None
        known = _key(row)
        return known if known.holds else None

    async def find(self, key_id: str) -> ApiKey | None:
        """Return what is known of a key."""
        row = await self._row(key_id)
        return None if row is None else _key(row)

    async def _row(self, key_id: str) -> RowMapping | None:
        found = select(api_keys).where(api_keys.c.key_id == key_id)
        return await self._journal.transact(lambda connection: connection.execute(found).mappings().first())

    async def list(self) -> list[ApiKey]:
        """Return all keys, oldest first."""
        found = select(api_keys).order_by(api_keys.c.created_at)
        return [_key(row) for row in await self._journal.transact(lambda c: c.execute(found).mappings().all())]

    async def revoke(self, key_id: str) -> None:
        """Make a key open nothing any more.

        Raises:
            RunError: There is no such key.
        """
        mine = (api_keys.c.key_id == key_id) & api_keys.c.revoked_at.is_(None)
        change = update(api_keys).where(mine).values(revoked_at=time.time())
        if not await self._journal.transact(lambda connection: connection.execute(change).rowcount):
            raise RunError(f"no key {key_id!r} is in force")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(**{name: row[name] for name in ApiKey.__slots__})
