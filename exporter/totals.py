"""Counts over all tenants: counters and histograms that live as long as the process."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from exporter.metrics import Family, Sample, number

# Series of one family that are exposed at 0, and of all: servers may keep inventing new label values.
_MAX_ZEROS, _MAX_SERIES = 200, 1000


@dataclass(slots=True)
class _Total:
    """The observations of one series: how many in each bucket, and their sum."""

    counts: list[int]
    sum: float = 0.0


class Totals:
    """The series without a tenant, by family and label values."""

    def __init__(self, on_drop: Callable[[str, int], None] = lambda _name, _samples: None) -> None:
        """`on_drop` receives the family's name and the number of samples that were dropped."""
        self._on_drop = on_drop
        self._totals: dict[Family, dict[tuple[str, ...], _Total]] = {}

    def apply(self, families: Collection[Family], new: Sequence[Sample], observed: Sequence[Sample]) -> bool:
        """Expose the `new` series, at 0, and add the `observed` values; returns whether that changed any series.

        The values of `new` are ignored. Those of `observed` are increments of counters and observations of histograms.
        Samples of other families raise `ValueError` and change nothing.
        """
        if undeclared := {sample.family.name for sample in (*new, *observed) if sample.family not in families}:
            raise ValueError(f"samples of families that were not declared: {sorted(undeclared)}")
        changed = False
        for sample in new:
            changed |= self._add_series(sample)
        for sample in observed:
            self._add_series(sample, _MAX_SERIES)
            total = self._totals[sample.family].get(sample.values)
            if total is None:
                self._on_drop(sample.family.name, 1)
                continue
            total.counts[bisect_left(sample.family.buckets, sample.value)] += 1
            total.sum += sample.value
            changed = True
        return changed

    def samples(self, families: Iterable[Family]) -> Iterator[Sample]:
        """The samples of these families now."""
        for family in families:
            if family.kind == "counter" and not family.labels:
                self._add_series(family(0))
            for values, total in self._totals.get(family, {}).items():
                yield from _histogram(family, values, total) if family.buckets else [Sample(family, values, total.sum)]

    def drop(self, families: Iterable[Family]) -> None:
        """Remove the series of these families."""
        for family in families:
            self._totals.pop(family, None)

    def _add_series(self, sample: Sample, most: int = _MAX_ZEROS) -> bool:
        """Add the series if it is new and the family has fewer than `most`; returns whether it was added."""
        series = self._totals.setdefault(sample.family, {})
        if sample.values in series or len(series) >= most:
            return False
        series[sample.values] = _Total([0] * (len(sample.family.buckets) + 1))
        return True


def _histogram(family: Family, values: tuple[str, ...], total: _Total) -> Iterator[Sample]:
    """Cumulative buckets, count and sum."""
    below = 0
    for bound, count in zip([*family.buckets, math.inf], total.counts, strict=True):
        below += count
        yield Sample(family, values, below, "_bucket", (("le", number(bound)),))
    yield Sample(family, values, below, "_count")
    yield Sample(family, values, total.sum, "_sum")
