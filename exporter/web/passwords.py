"""Is this the password of this user?

Only bcrypt hashes are held. bcrypt is slow by design, so a check runs in a thread, one at a time, and a good
one is remembered under a keyed hash whose key is made anew for each instance: clear passwords are not kept.
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

REMEMBERED = 256
# bcrypt reads no further, and since version 5 the library refuses what is longer. The toolkit cuts as well.
BCRYPT_BYTES = 72
COSTS = range(4, 32)
_HASH = re.compile(r"\$2[abxy]?\$(?P<cost>\d\d)\$[./A-Za-z0-9]{53}")


def is_bcrypt(hashed: str) -> bool:
    """Tell whether a string is a bcrypt hash that passwords can be checked against."""
    match = _HASH.fullmatch(hashed)
    if match is None or int(match["cost"]) not in COSTS:
        return False
    start, end = match.span("cost")
    try:  # the same salt at the lowest cost: what is wrong with it shows now, and at once
        bcrypt.checkpw(b"", f"{hashed[:start]}04{hashed[end:]}".encode())
    except ValueError:
        return False
    return True


def credentials(authorization: str) -> tuple[str, bytes] | None:
    """Read an Authorization header of the Basic scheme: user and password, None if it is none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None


class Passwords:
    """The users and their bcrypt hashes. Its `repr` tells neither."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = {user: hashed.encode() for user, hashed in hashes.items()}
        # Unknown users are checked against this, which no password fits, so that they take as long as known ones.
        cost = max(int(hashed.split("$")[2]) for hashed in hashes.values())
        self._nobody = bcrypt.gensalt(cost) + b"." * 31
        self._key = secrets.token_bytes(32)
        self._remembered: set[bytes] = set()
        # One at a time: a flood of guesses takes one core, not the poller's as well.
        self._turn = asyncio.Lock()

    async def accepts(self, user: str, password: bytes) -> bool:
        """Tell whether the password is the user's; takes as long for a user that there is not."""
        fingerprint = self._fingerprint(user, password)
        if fingerprint in self._remembered:
            return True
        async with self._turn:
            # Several scrapers come with the same password after a start: the first has answered for all.
            if fingerprint in self._remembered:
                return True
            accepted = await asyncio.to_thread(_fits, password, self._hashes.get(user, self._nobody))
        if accepted:
            self._remember(fingerprint)
        return accepted

    def _fingerprint(self, user: str, password: bytes) -> bytes:
        # A user name of the Basic scheme has no colon, so the pair reads back in one way only.
        return hashlib.blake2b(user.encode() + b":" + password, key=self._key).digest()

    def _remember(self, fingerprint: bytes) -> None:
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered.add(fingerprint)


def _fits(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed)
    except ValueError:  # a NUL byte, which some versions of bcrypt refuse
        return False
