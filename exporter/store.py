"""What is on the page right now?

Rows are rendered when a poll ends and joined when somebody scrapes. A tenant's rows of a collector are
replaced whole; rows past their time are left out. Nothing here awaits, and nothing knows the API.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from exporter.metrics import Family, Sample, render

# Owner of the rows that belong to no tenant; no tenant's id is empty.
FLEET = ""


class Store:
    """Rendered rows by family and owner, with a time after which they no longer count."""

    def __init__(self, families: Iterable[Family]) -> None:
        """`families` in the order of the page; only these can be put."""
        self._families = tuple(families)
        self._rows: dict[str, dict[str, bytes]] = {family.name: {} for family in self._families}
        self._expires: dict[tuple[Family, ...], dict[str, float]] = {}

    def put(self, owner: str, families: tuple[Family, ...], samples: Iterable[Sample], expires: float) -> None:
        """Replace all that `owner` has in `families`. `expires` is on the scale that `page` is asked in.

        A family belongs to one group of families for good: whoever writes one of them writes them all.
        Rows that can't be put raise `ValueError` and change nothing.
        """
        lines = render(samples)
        undeclared = lines.keys() - {family.name for family in families}
        if undeclared:
            raise ValueError(f"samples of families that were not declared: {sorted(undeclared)}")
        for family in families:
            if family.name in lines:
                self._rows[family.name][owner] = lines[family.name]
            else:
                self._rows[family.name].pop(owner, None)
        self._expires.setdefault(families, {})[owner] = expires

    def expire(self, owner: str, families: tuple[Family, ...], expires: float) -> None:
        """Give the rows of `owner` in `families`, if there are any, a time after which they no longer count."""
        group = self._expires.get(families, {})
        if owner in group:
            group[owner] = expires

    def forget(self, owner: str, families: tuple[Family, ...]) -> None:
        """Take the rows of `owner` in `families` off the page."""
        for family in families:
            self._rows[family.name].pop(owner, None)
        self._expires.get(families, {}).pop(owner, None)

    def retain(self, owners: Collection[str]) -> None:
        """Keep the rows of these owners, and of the fleet, alone."""
        for families, expires in self._expires.items():
            for owner in [owner for owner in expires if owner != FLEET and owner not in owners]:
                self.forget(owner, families)

    def page(self, now: float, *, openmetrics: bool) -> Iterator[bytes]:
        """The page as it is now, in pieces of one family each.

        The snapshot is taken in this call, so that all pieces show the same moment however slowly they
        are read; a piece is joined when it is asked for, so that no single step is long.
        """
        for families, expires in self._expires.items():
            for owner in [owner for owner, moment in expires.items() if moment < now]:
                self.forget(owner, families)
        snapshot = [(family, list(rows.values())) for family in self._families if (rows := self._rows[family.name])]
        return (family.header(openmetrics=openmetrics) + b"".join(rows) for family, rows in snapshot)
