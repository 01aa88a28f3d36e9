"""Seals on what is stored: with a key nobody else can make one, without a key they find damage and careless edits."""

import hashlib
import hmac
import os

from planloom.core.errors import ConfigError, Problem

KEY_VARIABLE = "PLANLOOM_JOURNAL_KEY"
MIN_KEY_CHARS = 16


class Seal:
    """Makes and checks seals.

    Args:
        key: Secret text; `None` or empty makes plain digests, which whoever knows this program can make too.
    """

    def __init__(self, key: str | None = None) -> None:
        self._key = hashlib.blake2b(key.encode(), digest_size=64).digest() if key else b""
        self._kind = "k" if key else "h"

    @classmethod
    def with_key(cls, key: str | None) -> "Seal":
        """Return seals with a key; `None` takes the environment's, and none is used where that is empty.

        Raises:
            ConfigError: The key is too short.
        """
        key = os.environ.get(KEY_VARIABLE, "") if key is None else key
        if 0 < len(key) < MIN_KEY_CHARS:
            message = f"expected at least {MIN_KEY_CHARS} characters, found {len(key)}"
            raise ConfigError(KEY_VARIABLE, [Problem(message)])
        return cls(key)

    @property
    def has_key(self) -> bool:
        """Whether nobody without the key can make these seals."""
        return self._kind == "k"

    def of(self, *parts: str | bytes) -> str:
        """Return the seal of some texts in their order."""
        made = hashlib.blake2b(digest_size=24, key=self._key, person=b"planloom")
        for part in parts:
            raw = part if isinstance(part, bytes) else part.encode(errors="surrogatepass")
            made.update(len(raw).to_bytes(8, "big"))
            made.update(raw)
        return self._kind + made.hexdigest()

    def fits(self, sealed: str | None, *parts: str | bytes) -> bool:
        """Tell whether a seal is that of some texts."""
        return hmac.compare_digest((sealed or "").encode(errors="replace"), self.of(*parts).encode())

    def reason(self, sealed: str | None) -> str:
        """Say why a seal may not fit, besides damage."""
        kind = (sealed or "")[:1]
        if not kind:
            return "it has no seal"
        if kind == "k" and not self.has_key:
            return f"it was sealed with a key: set {KEY_VARIABLE}"
        if kind == "h" and self.has_key:
            return f"it was written without a key: unset {KEY_VARIABLE} to read it"
        return "it is not as it was written" + (", or the key is another one" if self.has_key else "")
