"""Counts what must not happen: a table of each item, the stories that would show it, and what the rules did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from exporter.simulator import Incident
from tests.support.backtest.engine import Firing
from tests.support.backtest.expectations import HOUR
from tests.support.backtest.scenario import Scenario
from tests.support.backtest.verdict import Outcome, Verdict

# A false alarm may come so long after its story; what a gap of Prometheus invents is as old as the gap.
_AFTERMATH = 4 * HOUR


@dataclass(frozen=True)
class Item:
    """One thing that must not happen, and the kinds of stories that would show it.

    `during` are stories in which ordinary incidents must be found, and no ordinary tenant must raise a false alarm.
    With `gap`, they must be found again after it. `alerts` are the only ones that count, if any. With `names`, only
    alerts with another name count.
    """

    text: str
    kinds: tuple[str, ...] = ()
    during: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    gap: bool = False
    names: bool = False
    several_exporters: bool = False


ITEMS = (
    Item("a critical for a nightly run that fails once while the next is under way and succeeds", ("fails_once",)),
    Item("`cancelled`, a person's deed, alerting anyone", ("cancelled",)),
    Item(
        "an ingestion without a start hiding stall and overdue", ("stalled_without_start", "overdue_beside_unstarted")
    ),
    Item("a grace that has run out while a long run blocked the schedule", ("blocked_by_run", "blocked_by_load")),
    Item("any good run of any type excusing every schedule", ("overdue_while_others_run",)),
    Item(
        "a nightly suspension resetting a five-day clock for ever",
        ("dormant_and_suspended", "suspended_when_due", "nightly_suspension"),
    ),
    Item("runs too short for any poll making a tenant stale", ("short_runs",)),
    Item(
        "a rollover's status taken for one of three words",
        (
            *("rollover_in_progress", "rollover_called_off", "rollover_completed_early"),
            *("suspended_after_rollover", "rollover_stuck_in_progress", "rollover_stuck_called_off"),
        ),
    ),
    Item(
        "a state that is not listed being unfinished for ever, or never",
        ("unknown_state", "unknown_state_stays", "lists_finished", "stalled_in_unknown_state"),
    ),
    Item("a gap of the exporter forgetting what was wrong", during=("exporter_down",), gap=True),
    Item("a gap of Prometheus inventing or forgetting", during=("prometheus_down",), gap=True),
    Item("a crash loop never being noticed", ("crash_loop", "restarting")),
    Item("`for` on series that vanish with each restart", during=("restarting",)),
    Item(
        "shards taken for replicas, and the other way round",
        ("part_outage",),
        alerts=("KimonoManyTenantsUnreachable",),
        several_exporters=True,
    ),
    Item("a shard that dies unnoticed", ("shard_down",)),
    Item(
        "a replica that lags or is dead overruling one that is up to date",
        during=("replica_lags", "replica_down", "replica_cut_off", "replica_crash_loop"),
    ),
    Item(
        "a renamed tenant or account reporting everything twice",
        during=("tenant_renamed", "account_renamed"),
        names=True,
    ),
)


# Stories and incidents that items of their own are about.
_SPECIAL = frozenset(kind for item in ITEMS for kind in item.kinds)


@dataclass(frozen=True)
class Row:
    """One item of the table: how many stories could have shown it, and what was seen of it."""

    item: Item
    stories: int
    seen: tuple[str, ...]


def table(scenario: Scenario, told: Sequence[Incident], found: Verdict) -> list[Row]:
    """The table of one backtest; `told` are its stories."""
    return [_row(item, scenario, told, found) for item in ITEMS]


def _row(item: Item, scenario: Scenario, told: Sequence[Incident], found: Verdict) -> Row:
    stories = [one for one in told if one.kind in (*item.kinds, *item.during)]
    if item.several_exporters and scenario.replicas * scenario.shards == 1:
        stories = []
    seen: Counter[str] = Counter()
    if stories:
        special = [one for one in told if one.kind in _SPECIAL and one.tenant_id]
        seen.update(_seen(item, stories, special, scenario, found))
    return Row(item, len(stories), tuple(f"{number} {what}" for what, number in sorted(seen.items())))


def _seen(
    item: Item, stories: Sequence[Incident], special: Sequence[Incident], scenario: Scenario, found: Verdict
) -> Iterator[str]:
    if item.names:
        yield from (f"{each} reported twice" for each in _twice(stories, found.outcomes))
        return
    for firing in found.false:
        ordinary = not any(_about(one, firing) for one in special)
        if any(_about(one, firing, item) for one in stories if ordinary or one.kind in item.kinds):
            yield f"false {firing.severity} {firing.alert}"
    for one in found.missed():
        kind, during = one.incident.kind, _of(item.during, stories)
        if kind in item.kinds or (kind not in _SPECIAL and _overlaps(one.incident, during, scenario.ends)):
            yield f"{one.incident.kind} not found"
    if item.gap:
        for one in found.forgotten():
            yield from (f"{one.incident.kind} forgotten" for gap in one.forgotten if gap.kind in item.during)


def _of(kinds: Iterable[str], stories: Iterable[Incident]) -> list[Incident]:
    return [one for one in stories if one.kind in kinds]


def _about(story: Incident, firing: Firing, item: Item | None = None) -> bool:
    """Whether a false alarm may be due to a story: its tenant's, in its time."""
    if item is not None and item.alerts:
        return firing.alert in item.alerts  # it is about the fleet, whatever happens in it
    if story.tenant_id and story.tenant_id != firing.tenant_id:
        return False
    until = float("inf") if story.until is None else story.until + _AFTERMATH
    return story.since <= firing.since <= until


def _overlaps(incident: Incident, stories: Sequence[Incident], ends: float) -> bool:
    until = ends if incident.until is None else incident.until
    return any(one.since < until and incident.since < (ends if one.until is None else one.until) for one in stories)


def _twice(renamings: Sequence[Incident], outcomes: Iterable[Outcome]) -> Iterator[str]:
    for one in outcomes:
        incident = one.incident
        until = float("inf") if incident.until is None else incident.until
        if one.names > 1 and any(incident.since <= each.since <= until for each in renamings):
            yield incident.kind
