"""Checks passwords against bcrypt hashes: one at a time, in turn for each client, and each one only once.

bcrypt is slow by design. So each check runs in a thread, and its result is cached under a keyed hash; no clear-text
password is stored. A flood of guesses takes one core, and delays the first check of other clients by one check each.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import deque

import bcrypt

from exporter.web.limits import PASSWORD_SECONDS

# Of each result, so that wrong passwords do not displace right ones.
CACHE_SIZE = 1024
# bcrypt uses no more, and the library rejects longer passwords since version 5. The toolkit truncates as well.
BCRYPT_BYTES = 72


class BusyError(Exception):
    """The check of a password could not begin in time."""


class Verifier:
    """Checks passwords, and keeps the results, also over a reload of the hashes: it lives as long as the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._results: dict[bool, dict[bytes, None]] = {True: {}, False: {}}
        self._checking = self._closed = False
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._unmatched: dict[int, bytes] = {}

    def unmatched_hash(self, cost: int) -> bytes:
        """Return a hash that no password has, always the same one: to check it takes as long as to check others."""
        return self._unmatched.setdefault(cost, bcrypt.gensalt(cost) + b"." * 31)

    def close(self) -> None:
        """Begin no more checks: the process is about to end, and waits for the one that is running."""
        self._closed = True

    async def matches(self, user: str, password: bytes, hashed: bytes, client: str) -> bool:
        """Whether the password has the hash. `client` is who asks: clients take turns.

        Raises:
            BusyError: the checks of others took longer than `PASSWORD_SECONDS`, or no more are begun.
        """
        fingerprint = self._fingerprint(user.encode(), hashed, password)
        if (known := self._known(fingerprint)) is not None:
            return known
        await self._turn(client)
        # After a start, several scrapers send the same password: the first check serves all.
        if (known := self._known(fingerprint)) is not None:
            self._next()
            return known
        # The end of the process waits for this thread. A daemon thread in the library's Rust code would crash it then.
        check = asyncio.ensure_future(asyncio.to_thread(_matches, password, hashed))
        check.add_done_callback(lambda done: self._checked(fingerprint, done))
        # If the client goes away, the thread goes on, and the next check waits for it.
        return await asyncio.shield(check)

    def _fingerprint(self, *parts: bytes) -> bytes:
        lengths = b",".join(str(len(part)).encode() for part in parts)
        return hashlib.blake2b(b":".join((lengths, *parts)), key=self._key).digest()

    def _known(self, fingerprint: bytes) -> bool | None:
        return next((result for result, known in self._results.items() if fingerprint in known), None)

    def _checked(self, fingerprint: bytes, check: asyncio.Future[bool]) -> None:
        if not check.cancelled() and check.exception() is None:
            known = self._results[check.result()]
            while len(known) >= CACHE_SIZE:
                del known[next(iter(known))]  # the oldest
            known[fingerprint] = None
        self._next()

    async def _turn(self, client: str) -> None:
        if self._closed:
            raise BusyError
        if not self._checking:
            self._checking = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            async with asyncio.timeout(PASSWORD_SECONDS):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if turn.done() and not turn.cancelled():  # it came at the same moment
                self._next()
            if isinstance(error, TimeoutError):
                raise BusyError from None
            raise

    def _next(self) -> None:
        """Give the turn to the client that comes next, and move it behind the others."""
        while self._waiting and not self._closed:
            client, turns = next(iter(self._waiting.items()))
            del self._waiting[client]
            turn = turns.popleft()
            if turns:
                self._waiting[client] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._checking = False


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:BCRYPT_BYTES], hashed)
    except ValueError:  # some versions of bcrypt reject a NUL byte
        return False
