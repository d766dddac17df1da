"""A tenant whose collectors share one history and get their facts without an API; and short ways to make facts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from exporter.api.days import parse_days
from exporter.api.models import STATE_FLAGS, Application, Ingestion, Rollover, Schedule, State
from exporter.collectors import Collector
from exporter.collectors.application import ApplicationCollector
from exporter.collectors.ingestions import IngestionsCollector
from exporter.collectors.rollovers import RolloversCollector
from exporter.collectors.schedules import SchedulesCollector
from exporter.collectors.state import StateCollector
from exporter.history import SHARED, History
from exporter.history.ingestions import Ingestions
from exporter.metrics import Family, Sample

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
# A Tuesday, 00:00 UTC.
START = 1_788_220_800.0
OFF = dict.fromkeys(STATE_FLAGS, False)
SUSPENDED = OFF | {"synchronization_suspended": True}

STATE, INGESTIONS, SCHEDULES = StateCollector(), IngestionsCollector(), SchedulesCollector()
ROLLOVERS, APPLICATION = RolloversCollector(), ApplicationCollector()
_JSON: TypeAdapter[History] = TypeAdapter(History)

# The series of a family by the values of its labels, without the tenant's.
Series = Mapping[Any, float]


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def run(ident: str | None, state: str = "executing", began: float | None = None, **more: Any) -> Ingestion:
    """An ingestion; `began` in Unix seconds."""
    return replace(Ingestion(ident, "collection", state, began, has_pending_task=False), **more)


def daily(hour: int | None = 7, executed: float | None = None, ident: str | None = "s", **more: Any) -> Schedule:
    """A schedule that is due each day at this hour, or on `days`."""
    days = more.pop("days", "")
    made = Schedule(ident, "collection", True, hour, days, parse_days(days), executed, None)  # noqa: FBT003 - in the order of its fields
    return replace(made, **more)


def rollover(ident: str | None = "r", status: str | None = "upcoming", **more: Any) -> Rollover:
    return replace(Rollover(ident, "summer", "full", status, START, START + DAY, 0, None), **more)


class Tenant:
    """A tenant that is polled in any order."""

    def __init__(self, history: History | None = None) -> None:
        self.history = history or History()
        self.now = START
        self.samples: dict[str, list[Sample]] = {}

    def _poll(self, collector: Collector[Any], facts: object, at: float) -> None:
        result = collector.result("tenant", self.history, facts, at)
        self.history, self.now = result.history, at
        self.samples[collector.name] = list(result.samples)

    def flags(self, at: float, flags: Mapping[str, bool] = OFF) -> None:
        """A poll of the flags at Unix seconds `at`."""
        self._poll(STATE, State(flags), at)

    def runs(self, at: float, *listed: Ingestion, left: Iterable[Ingestion] = ()) -> None:
        """A poll of the ingestions. One that left the list is as it is in `left`, or else as it was."""
        known = {each.id: each for each in left}
        unlisted = self.history.ingestions.unfinished.keys() - {each.id for each in listed}
        gone = {ident: known.get(ident, self.history.ingestions.unfinished[ident]) for ident in sorted(unlisted)}
        self._poll(INGESTIONS, Ingestions(listed, gone, 0), at)

    def schedules(self, at: float, *schedules: Schedule) -> None:
        """A poll of the schedules."""
        self._poll(SCHEDULES, list(schedules), at)

    def rollovers(self, at: float, *rollovers: Rollover) -> None:
        """A poll of the rollovers."""
        self._poll(ROLLOVERS, list(rollovers), at)

    def application(self, at: float, state: str | None) -> None:
        """A poll of the application."""
        self._poll(APPLICATION, Application("oauth2", state, None, None), at)

    def restart(self, *, with_state_file: bool = True) -> None:
        """Start anew, with what the state file would hold."""
        self.history = _JSON.validate_json(_JSON.dump_json(self.history)) if with_state_file else History()
        self.samples = {}

    def everything(self, now: float | None = None) -> dict[Family, dict[Any, float]]:
        """All series, by the values of the labels without the tenant's, at the last poll or at `now`."""
        parts = [*self.samples.values()]
        parts += [list(shared.samples(self.history, "tenant", now or self.now)) for shared in SHARED]
        found: dict[Family, dict[Any, float]] = {}
        for sample in itertools.chain(*parts):
            labels = dict(zip(sample.family.labels, sample.values, strict=True))
            assert labels.pop("tenant_id") == "tenant"
            key = labels.popitem()[1] if len(labels) == 1 else tuple(labels.values())
            series = found.setdefault(sample.family, {})
            assert key not in series, f"{sample.family.name} has {key} twice"
            series[key] = sample.value
        return found

    def series(self, family: Family, now: float | None = None) -> Series:
        """The series of a family."""
        return self.everything(now).get(family, {})

    def value(self, family: Family, now: float | None = None) -> float | None:
        """The value of a family that has at most one series."""
        series = self.series(family, now)
        assert len(series) <= 1
        return next(iter(series.values()), None)
