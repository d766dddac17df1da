"""Keeps the rendered samples of each tenant, joined in blocks.

Samples are rendered when a poll ends. A tenant's samples of one collector are replaced whole; expired ones are not
on the page. Nothing here awaits, and nothing knows the API.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Iterator

from exporter.blocks import Block, Section, plain_page
from exporter.metrics import Family, Sample, render
from exporter.table import Table, by_block

# Owner of the samples without a tenant; no tenant's id is empty.
FLEET = ""
# Tenants that `retain` moves into the gaps that others left. Each takes 0.2 ms.
_MOVED_AT_ONCE = 20


class Store:
    """Rendered samples by family and owner, and the times at which some of them expire."""

    def __init__(self, families: Iterable[Family]) -> None:
        """`families` in the order of the page; only these can be put."""
        self._tables = {family: Table() for family in families}
        self._headers: dict[tuple[Family, bool], Section] = {}
        # An owner has the same place in all tables. Those that are free are a heap.
        self._places: dict[str, int] = {}
        self._free: list[int] = []
        self._expires: dict[tuple[Family, ...], dict[str, float]] = {}
        self._next_expiry = math.inf  # or earlier

    def put(self, owner: str, families: tuple[Family, ...], samples: Iterable[Sample]) -> None:
        """Replace all that `owner` has in `families`. The samples stay until `expire` gives them a time.

        A family belongs to one group of families for good: a caller that writes one of them writes them all. Samples
        of other families raise `ValueError` and change nothing.
        """
        lines = render(samples)
        undeclared = lines.keys() - {family.name for family in families}
        if undeclared:
            raise ValueError(f"samples of families that were not declared: {sorted(undeclared)}")
        place = self._place(owner)
        for family in families:
            self._tables[family].put(place, lines.get(family.name, b""))
        self._expires.get(families, {}).pop(owner, None)

    def expire(self, owner: str, families: tuple[Family, ...], at: float) -> None:
        """Let the samples of `owner` in `families`, if any, expire; `at` is on the scale of `page`'s `now`."""
        if owner in self._places:
            self._expires.setdefault(families, {})[owner] = at
            self._next_expiry = min(self._next_expiry, at)

    def remove(self, owner: str, families: tuple[Family, ...]) -> None:
        """Remove the samples of `owner` in `families`."""
        self._remove([owner], families)

    def retain(self, owners: Collection[str]) -> None:
        """Remove the samples of all owners but these and the fleet."""
        gone = [owner for owner in self._places if owner != FLEET and owner not in owners]
        if gone:
            for families in self._expires:
                self._forget_expiry(gone, families)
            places = by_block(self._places[owner] for owner in gone)
            for table in self._tables.values():
                table.remove(places)
            for owner in gone:
                heapq.heappush(self._free, self._places.pop(owner))
        self._close_gaps()

    def page(self, now: float, *, openmetrics: bool) -> Iterator[bytes]:
        """The page as `sections` gives it, in pieces."""
        return iter(plain_page(self.sections(now, openmetrics=openmetrics)))

    def sections(self, now: float, *, openmetrics: bool) -> Iterator[Section]:
        """The page as it is now: for each family with samples, its header and its samples.

        The snapshot is taken in this call, so that all sections show the same moment however slowly they are read.
        """
        if self._next_expiry < now:
            self._remove_expired(now)
        sections: list[Section] = []
        for family, table in self._tables.items():
            if samples := table.section():
                sections += (self._header(family, openmetrics=openmetrics), samples)
        return iter(sections)

    def _place(self, owner: str) -> int:
        place = self._places.get(owner)
        if place is None:
            place = self._places[owner] = heapq.heappop(self._free) if self._free else len(self._places)
        return place

    def _header(self, family: Family, *, openmetrics: bool) -> Section:
        if (family, openmetrics) not in self._headers:
            self._headers[family, openmetrics] = Section([Block(family.header(openmetrics=openmetrics))])
        return self._headers[family, openmetrics]

    def _remove_expired(self, now: float) -> None:
        for families, expires in self._expires.items():
            self._remove([owner for owner, at in expires.items() if at < now], families)
        times = (min(expires.values(), default=math.inf) for expires in self._expires.values())
        self._next_expiry = min(times, default=math.inf)

    def _remove(self, owners: Collection[str], families: tuple[Family, ...]) -> None:
        places = by_block(self._places[owner] for owner in owners if owner in self._places)
        for family in families:
            self._tables[family].remove(places)
        self._forget_expiry(owners, families)

    def _forget_expiry(self, owners: Iterable[str], families: tuple[Family, ...]) -> None:
        if expires := self._expires.get(families):
            for owner in owners:
                expires.pop(owner, None)

    def _close_gaps(self) -> None:
        """Move some owners from the last places to free ones, so that blocks do not stay sparse for good."""
        if not self._free:
            return
        for owner in heapq.nlargest(_MOVED_AT_ONCE, self._places, key=self._places.__getitem__):
            before = self._places[owner]
            if self._free[0] > before:
                self._free.clear()  # there are no gaps any more
                return
            place = self._places[owner] = heapq.heappushpop(self._free, before)
            for table in self._tables.values():
                table.move(before, place)
