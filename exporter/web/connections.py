"""Keeps the open connections within a limit: a new one beyond it takes the place of another.

Which one depends on the client's address first, so that a client with many connections replaces its own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from collections import Counter
from typing import Protocol

from exporter.web.limits import DESCRIPTOR_SHARE, MAX_CONNECTIONS
from exporter.web.notices import Notices

# An IPv6 client has at least a network of this size, and can use any address in it.
_IPV6_NETWORK_BITS = 64


def client_of(address: object) -> str:
    """Return who is at the address of a socket: an IPv4 address, or the network of an IPv6 address."""
    host = str(address[0]) if isinstance(address, tuple) and address else ""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, _IPV6_NETWORK_BITS), strict=False))


def connection_limit() -> int:
    """Return the most connections to have open, at least 4: a share of the file descriptors that are allowed now."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(4, min(MAX_CONNECTIONS, int(allowed * DESCRIPTOR_SHARE)))


class Droppable(Protocol):
    """A connection that can be closed to make room for another."""

    client: str
    """Who opened it, as `client_of` says."""

    @property
    def worth(self) -> tuple[int, float]:
        """How much it is worth, and until when to keep it at least, in the event loop's time. The least goes first."""

    def drop(self) -> None:
        """Close it at once."""


class Connections:
    """The open connections, at most `limit`."""

    def __init__(self, limit: int, notices: Notices) -> None:
        self._limit = limit
        self._notices = notices
        self._open: set[Droppable] = set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Droppable) -> None:
        """Add a new connection."""
        self._open.add(connection)

    def remove(self, connection: Droppable) -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)

    def has_room(self) -> bool:
        """Whether there is room for a new connection, if need be by closing another."""
        if len(self._open) < self._limit:
            return True
        self._notices.warn("too many connections: closed others for new ones")
        return self.make_room()

    def make_room(self) -> bool:
        """Close the connection that is worth least of the client that has most; false if all are worth keeping yet."""
        counts = Counter(each.client for each in self._open)
        most, now = max(counts.values(), default=0), asyncio.get_running_loop().time()
        droppable = [each for each in self._open if counts[each.client] == most and each.worth[1] <= now]
        if not droppable:
            return False
        least = min(droppable, key=lambda each: each.worth)
        self._open.discard(least)
        least.drop()
        return True

    def drop_all(self) -> None:
        """Close all connections."""
        while self._open:
            self._open.pop().drop()
