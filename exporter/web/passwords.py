"""Checks users' passwords against bcrypt hashes.

bcrypt is slow by design, so each check runs in a thread, one at a time. Accepted passwords are cached as keyed
hashes, with a new key for each instance. No clear-text password is stored.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Mapping

import bcrypt

CACHE_SIZE = 256
# bcrypt uses no more, and the library rejects longer passwords since version 5. The toolkit truncates as well.
BCRYPT_BYTES = 72
COSTS = range(4, 32)
_HASH = re.compile(r"\$2[abxy]?\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}")


def is_bcrypt(hashed: str) -> bool:
    """Whether a string is a bcrypt hash that passwords can be checked against."""
    match = _HASH.fullmatch(hashed)
    if match is None or int(match["cost"]) not in COSTS:
        return False
    start, end = match.span("cost")
    try:  # the same salt at the lowest cost, to find an invalid salt quickly
        bcrypt.checkpw(b"", f"{hashed[:start]}04{hashed[end:]}".encode())
    except ValueError:
        return False
    return True


def parse_basic_auth(authorization: str) -> tuple[str, bytes] | None:
    """Parse an Authorization header of the Basic scheme into user and password; None if it is invalid."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


class Passwords:
    """The users and their bcrypt hashes. Its `repr` shows neither."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = {user: hashed.encode() for user, hashed in hashes.items()}
        # No password matches this hash. Checking unknown users against it takes as long as checking known ones.
        cost = max(int(hashed.split("$")[2]) for hashed in hashes.values())
        self._no_match = bcrypt.gensalt(cost) + b"." * 31
        self._key = secrets.token_bytes(32)
        self._cache: set[bytes] = set()
        # One check at a time: a flood of guesses takes one core, and leaves the other to polling.
        self._lock = asyncio.Lock()

    async def accepts(self, user: str, password: bytes) -> bool:
        """Whether the password is the user's. An unknown user takes as long as a known one."""
        fingerprint = self._fingerprint(user, password)
        if fingerprint in self._cache:
            return True
        async with self._lock:
            # After a start, several scrapers send the same password: the first check serves all.
            if fingerprint in self._cache:
                return True
            accepted = await asyncio.to_thread(_matches, password, self._hashes.get(user, self._no_match))
            if accepted:
                if len(self._cache) >= CACHE_SIZE:
                    self._cache.clear()
                self._cache.add(fingerprint)
        return accepted

    def _fingerprint(self, user: str, password: bytes) -> bytes:
        # A user name in Basic auth contains no colon, so the pair is unambiguous.
        return hashlib.blake2b(user.encode() + b":" + password, key=self._key).digest()


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed)
    except ValueError:  # some versions of bcrypt reject a NUL byte
        return False
