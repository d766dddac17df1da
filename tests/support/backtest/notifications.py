"""Counts the notifications that Alertmanager would send for what fired, by its grouping and its inhibition rules.

It groups as Alertmanager does: a group notifies `group_wait` after its first alert, and then every `group_interval` in
which an alert was added or resolved. Repetitions of what has not changed are not counted.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.backtest.engine import Firing
from tests.support.backtest.inhibition import Inhibit, Matchers, labels, matchers, matches, muted
from tests.support.backtest.scenario import seconds


@dataclass(frozen=True)
class Route:
    """One of Alertmanager's routes, with what it inherits. `wait` and `interval` in seconds."""

    receiver: str
    group_by: tuple[str, ...] = ()
    wait: float = 30.0
    interval: float = 300.0
    matchers: Matchers = ()
    routes: tuple[Route, ...] = ()

    def of(self, alert: Mapping[str, str]) -> Route:
        """The route of an alert with these labels: the first child that matches, or this one."""
        for child in self.routes:
            if matches(alert, child.matchers):
                return child.of(alert)
        return self


def routes(config: Path) -> Route:
    """The routing tree of an Alertmanager configuration."""
    return _route(yaml.safe_load(config.read_text())["route"], Route(""))


def _route(content: Mapping[str, Any], parent: Route) -> Route:
    own = Route(
        content.get("receiver", parent.receiver),
        tuple(content.get("group_by", parent.group_by)),
        seconds(content["group_wait"]) if "group_wait" in content else parent.wait,
        seconds(content["group_interval"]) if "group_interval" in content else parent.interval,
        matchers(content.get("matchers")),
    )
    children = tuple(_route(child, own) for child in content.get("routes") or ())
    return Route(own.receiver, own.group_by, own.wait, own.interval, own.matchers, children)


def notified(firings: Iterable[Firing], tree: Route, inhibits: Sequence[Inhibit], ends: float) -> list[float]:
    """When notifications about what fires are sent, in order, up to `ends`; all in Unix seconds.

    A receiver called `none` gets none.
    """
    everything = list(firings)
    groups: dict[tuple[Route, tuple[str, ...]], list[Firing]] = {}
    for firing in everything:
        route = tree.of(labels(firing))
        if route.receiver != "none":
            key = route, tuple(labels(firing).get(name, "") for name in route.group_by)
            groups.setdefault(key, []).append(firing)
    return sorted(
        moment
        for (route, _), members in groups.items()
        for moment in _flushes(route, members, everything, inhibits)
        if moment < ends
    )


def count(notifications: Sequence[float], since: float, span: float) -> int:
    """How many come within `span` seconds of the first one after `since` (Unix seconds), that one included."""
    first = next((at for at in notifications if at >= since), None)
    return 0 if first is None else sum(first <= at < first + span for at in notifications)


def _flushes(
    route: Route, members: Sequence[Firing], everything: Sequence[Firing], inhibits: Sequence[Inhibit]
) -> Iterator[float]:
    """When one group notifies."""
    told: frozenset[int] = frozenset()
    changes = sorted({moment for one in everything for moment in (one.since, one.until) if moment < float("inf")})
    moment = min(one.since for one in members) + route.wait
    while True:
        firing = frozenset(number for number, one in enumerate(members) if one.since <= moment < one.until)
        present = [one for one in everything if one.since <= moment < one.until]
        now = frozenset(number for number in firing if not muted(members[number], present, inhibits))
        if now - told or told - firing:
            yield moment
        told = (now | told) & firing
        # Nothing changes until the next alert begins, ends, or begins or ends to inhibit.
        later = changes[bisect_right(changes, moment) :]
        if not later:
            return
        if firing or told:
            moment += math.ceil((later[0] - moment) / route.interval) * route.interval
        else:
            moment = later[0] + route.wait
