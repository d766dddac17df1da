"""The users of basic auth, and their bcrypt hashes."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from exporter.web.verifier import Verifier

# 16 bytes of salt leave four bits of its last character, which are 0.
_HASH = re.compile(r"\$2[abxy]?\$(?P<cost>0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")


def bcrypt_cost(hashed: str) -> int | None:
    """Return the cost of a bcrypt hash, None if a string is not one that passwords can be checked against."""
    match = _HASH.fullmatch(hashed)
    return int(match["cost"]) if match else None


def parse_basic_auth(authorization: str) -> tuple[str, bytes] | None:
    """Parse an Authorization header of the Basic scheme into user and password; None if it is invalid."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except ValueError:  # not ASCII, not base64, or not UTF-8
        return None


class Passwords:
    """The users and their bcrypt hashes. Its `repr` shows neither."""

    def __init__(self, hashes: Mapping[str, str], verifier: Verifier) -> None:
        self._hashes = {user: hashed.encode() for user, hashed in hashes.items()}
        self._verifier = verifier
        cost = max(bcrypt_cost(hashed) or 0 for hashed in hashes.values())
        self._unmatched = verifier.unmatched_hash(cost)

    async def accepts(self, user: str, password: bytes, client: str) -> bool:
        """Whether the password is the user's. An unknown user takes as long as a known one.

        Raises:
            BusyError: the checks of other passwords took too long.
        """
        return await self._verifier.matches(user, password, self._hashes.get(user, self._unmatched), client)
