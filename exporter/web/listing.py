"""Selects the lines of one page of the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.issues import Issue
from exporter.web.query import Query
from exporter.web.snapshot import Snapshot
from exporter.web.turns import Turns

PAGE_LINES = 50
# To look at so many lines takes less than a turn.
_STEP = 500


@dataclass(frozen=True, slots=True)
class Listing:
    """The lines of one page, of `total` in all. There are `pages`, at least 1."""

    lines: tuple[Issue, ...]
    total: int
    pages: int


async def select(snapshot: Snapshot, query: Query, *, grouped: bool) -> Listing:
    """The lines that the query asks for: the worst first, then the oldest, then tenants without problems by name.

    The snapshot must have tenants without problems if the query is `with_healthy`. So no tenant is in both lists. If
    `grouped` and no filter is set, lines of groups are not listed.
    """
    turns = Turns()
    if not query.filters:
        return _page(snapshot.single if grouped else snapshot.issues, query)
    lines = await _matching(snapshot.issues, query, turns)
    if query.with_healthy:
        lines += await _matching(snapshot.quiet, query, turns)
    return _page(lines, query)


async def _matching(issues: Sequence[Issue], query: Query, turns: Turns) -> list[Issue]:
    found = []
    for start in range(0, len(issues), _STEP):
        found += query.select(issues[start : start + _STEP])
        await turns.give_way()
    return found


def _page(lines: Sequence[Issue], query: Query) -> Listing:
    begin = (query.page - 1) * PAGE_LINES
    return Listing(tuple(lines[begin : begin + PAGE_LINES]), len(lines), max(1, -(-len(lines) // PAGE_LINES)))
