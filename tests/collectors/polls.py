"""Polls one tenant repeatedly with one collector."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from exporter.collectors import Collector, FleetChange
from exporter.history import History
from exporter.metrics import Family, Sample
from exporter.telemetry import Telemetry
from exporter.totals import Totals
from tests.support.replies import CREDENTIALS, Replies, table
from tests.support.virtual_time import START

TENANT = "tenant"
# One for all: making its instruments takes longer than a poll.
_TELEMETRY = Telemetry()
# The series of a family by their labels' values, without the tenant's.
Series = Mapping[tuple[str, ...], float]


class Polls:
    """A tenant that is polled. A failed poll changes nothing, as in the poller. Tenants may share `totals`."""

    def __init__(self, collector: Collector, totals: Totals | None = None) -> None:
        self.collector = collector
        self.totals = totals or Totals()
        self.history = History()
        self.asked: list[str] = []
        self.change = FleetChange()
        # Whether the last poll changed the series without a tenant.
        self.changed = False
        # How many samples of each family the last poll left out.
        self.dropped: Mapping[str, int] = {}
        self._samples: list[Sample] = []

    def poll(self, answers: Mapping[str, Any], now: float = START) -> None:
        """Poll once, at `now`, an API that gives these answers by path."""
        replies = Replies(table(answers))
        try:
            api = replies.client(telemetry=_TELEMETRY).api(CREDENTIALS)
            facts = asyncio.run(self.collector.fetch(api, self.history))
        finally:
            self.asked = list(dict.fromkeys(replies.asked))
        result = self.collector.result(TENANT, self.history, facts, now)
        self.history, self._samples, self.change = result.history, list(result.samples), result.fleet
        self.dropped = result.dropped
        self.changed = self.totals.apply(self.collector.fleet_families, result.fleet.new, result.fleet.observed)

    def series(self, family: Family) -> Series:
        """The tenant's series of a family as they are now. Two samples of one series fail the test."""
        return _by_labels(family, self._samples)

    def labels(self, family: Family, name: str) -> list[str]:
        """The values of one label of a family."""
        place = family.labels.index(name)
        return [sample.values[place] for sample in self._samples if sample.family is family]

    def fleet(self, family: Family) -> Series:
        """The same, of a family without a tenant."""
        return _by_labels(family, list(self.totals.samples([family])))


def _by_labels(family: Family, samples: list[Sample]) -> Series:
    series: dict[tuple[str, ...], float] = {}
    for sample in samples:
        if sample.family is not family or sample.suffix not in ("", "_count", "_sum"):
            continue
        labels = dict(zip(family.labels, sample.values, strict=True))
        assert labels.pop("tenant_id", TENANT) == TENANT
        key = (*labels.values(), *([sample.suffix] if sample.suffix else []))
        assert key not in series, f"{family.name} has {key} twice"
        series[key] = sample.value
    return series
