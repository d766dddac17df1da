"""Keeps the rendered samples of each tenant, and joins them when a scrape comes.

Samples are rendered when a poll ends. A tenant's samples of one collector are replaced whole; expired ones are not
on the page. Nothing here awaits, and nothing knows the API.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from exporter.metrics import Family, Sample, render

# Owner of the samples without a tenant; no tenant's id is empty.
FLEET = ""
_NEVER = float("inf")


class Store:
    """Rendered samples by family and owner, each with the time at which they expire."""

    def __init__(self, families: Iterable[Family]) -> None:
        """`families` in the order of the page; only these can be put."""
        self._families = tuple(families)
        self._lines: dict[str, dict[str, bytes]] = {family.name: {} for family in self._families}
        self._expires: dict[tuple[Family, ...], dict[str, float]] = {}

    def put(self, owner: str, families: tuple[Family, ...], samples: Iterable[Sample]) -> None:
        """Replace all that `owner` has in `families`. The samples stay until `expire` gives them a time.

        A family belongs to one group of families for good: a caller that writes one of them writes them all. Samples
        of other families raise `ValueError` and change nothing.
        """
        lines = render(samples)
        undeclared = lines.keys() - {family.name for family in families}
        if undeclared:
            raise ValueError(f"samples of families that were not declared: {sorted(undeclared)}")
        for family in families:
            if family.name in lines:
                self._lines[family.name][owner] = lines[family.name]
            else:
                self._lines[family.name].pop(owner, None)
        self._expires.setdefault(families, {})[owner] = _NEVER

    def expire(self, owner: str, families: tuple[Family, ...], at: float) -> None:
        """Let the samples of `owner` in `families`, if any, expire; `at` is on the scale of `page`'s `now`."""
        group = self._expires.get(families, {})
        if owner in group:
            group[owner] = at

    def remove(self, owner: str, families: tuple[Family, ...]) -> None:
        """Remove the samples of `owner` in `families`."""
        for family in families:
            self._lines[family.name].pop(owner, None)
        self._expires.get(families, {}).pop(owner, None)

    def retain(self, owners: Collection[str]) -> None:
        """Remove the samples of all owners but these and the fleet."""
        for families, expires in self._expires.items():
            for owner in [owner for owner in expires if owner != FLEET and owner not in owners]:
                self.remove(owner, families)

    def page(self, now: float, *, openmetrics: bool) -> Iterator[bytes]:
        """The page as it is now, one piece for each family.

        The snapshot is taken in this call, so that all pieces show the same moment however slowly they are read. A
        piece is joined when it is asked for, so that no single step blocks the event loop for long.
        """
        for families, expires in self._expires.items():
            for owner in [owner for owner, at in expires.items() if at < now]:
                self.remove(owner, families)
        snapshot = [(family, list(lines.values())) for family in self._families if (lines := self._lines[family.name])]
        return (family.header(openmetrics=openmetrics) + b"".join(lines) for family, lines in snapshot)
