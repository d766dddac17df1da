"""How does a test visit one tenant, poll after poll, with one collector?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from exporter.collectors import Collector
from exporter.metrics import Family, Sample
from tests.replies import Replies, table
from tests.virtual_time import START

TENANT = "tenant"
# What tells series of one family apart here: the labels' values, without the tenant's.
Series = Mapping[tuple[str, ...], float]


class Visits:
    """A tenant that is visited again and again; a visit that fails changes nothing, as in the poller."""

    def __init__(self, collector: Collector[Any, Any, Any]) -> None:
        self.collector = collector
        self.memory: Any = None
        self.asked: list[str] = []
        self.news: object = None
        # Whether the last visit changed what the fleet shows.
        self.changed = False
        self._samples: list[Sample] = []

    def visit(self, answers: Mapping[str, Any], now: float = START) -> None:
        """Poll once, at `now`, an API that gives these answers by path."""
        replies = Replies(table(answers))
        try:
            facts = asyncio.run(self.collector.fetch(replies.tenant(), self.memory))
        finally:
            self.asked = list(dict.fromkeys(replies.asked))
        reading = self.collector.read(TENANT, facts, self.memory, now)
        self.memory, self._samples, self.news = reading.memory, list(reading.samples), reading.news
        self.changed = reading.news is not None and self.collector.take(reading.news)

    def series(self, family: Family) -> Series:
        """The tenant's series of a family as they are now. Two samples of one series fail the test."""
        return _by_labels(family, self._samples)

    def fleet(self, family: Family) -> Series:
        """The same, of a family without a tenant."""
        return _by_labels(family, list(self.collector.fleet()))


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
