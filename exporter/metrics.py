"""How does a fact become lines of a Prometheus page?

The only place that knows the exposition formats: text 0.0.4 and OpenMetrics 1.0
(https://prometheus.io/docs/instrumenting/exposition_formats/). Knows nothing of the API. What it writes
is, to the byte, what prometheus-client's `generate_latest` would write; a property test holds it to that.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from prometheus_client.utils import floatToGoString

Kind = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line to be: a family, its label values in the order of `family.labels`, and a value."""

    family: Family
    values: tuple[str, ...]
    value: float
    suffix: str = ""
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Family:
    """A metric's name, type, help and label names; calling it makes a checked `Sample`.

    A counter's `name` ends in `_total`. `labels` are sorted here, so that pages are the same from run to run.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(sorted(self.labels)))
        if (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: counters, and nothing else, end in _total")

    def __hash__(self) -> int:
        return hash(self.name)

    def __call__(self, value: float, /, **labels: str) -> Sample:
        """A sample of this family; every declared label must be given, and no other."""
        try:
            values = tuple([labels[name] for name in self.labels])
        except KeyError as missing:
            raise TypeError(f"{self.name} needs the label {missing}") from None
        if len(labels) != len(values):
            raise TypeError(f"{self.name} has no label {sorted(set(labels) - set(self.labels))}")
        return Sample(self, values, value)

    def header(self, *, openmetrics: bool) -> bytes:
        """The HELP and TYPE lines. OpenMetrics names a counter's family without its `_total`."""
        name, text = self.name, self.help.replace("\\", r"\\").replace("\n", r"\n")
        if openmetrics:
            name, text = name.removesuffix("_total"), text.replace('"', r"\"")
        return f"# HELP {name} {text}\n# TYPE {name} {self.kind}\n".encode()


def render(samples: Iterable[Sample]) -> dict[str, bytes]:
    """The lines of each family, keyed by its name. Of two samples of one series the later one stays."""
    lines: dict[str, dict[str, str]] = {}
    for sample in samples:
        series = _series(sample)
        lines.setdefault(sample.family.name, {})[series] = f"{series} {_number(sample.value)}\n"
    return {name: "".join(rows.values()).encode() for name, rows in lines.items()}


def _series(sample: Sample) -> str:
    pairs: Iterable[tuple[str, str]] = zip(sample.family.labels, sample.values, strict=True)
    if sample.extra:
        pairs = sorted([*pairs, *sample.extra])
    labels = ",".join([f'{name}="{_escape(value)}"' for name, value in pairs])
    name = sample.family.name + sample.suffix
    return f"{name}{{{labels}}}" if labels else name


def _escape(value: str) -> str:
    if "\\" in value or "\n" in value or '"' in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value


def _number(value: float) -> str:
    if value == 1:
        return "1.0"
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]  # prometheus-client gives it no types


@dataclass
class Histogram:
    """Observations of one family in fixed buckets, for the whole life of the process.

    `bounds` are the buckets' upper edges in the family's unit, ascending, without infinity.
    """

    family: Family
    bounds: Sequence[float]
    _counts: dict[tuple[str, ...], list[int]] = field(default_factory=dict)
    _sums: dict[tuple[str, ...], float] = field(default_factory=dict)

    def show(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Have a series under these labels, of zeros if nothing was observed yet; gives their values."""
        key = self.family(0, **labels).values
        if key not in self._counts:
            self._counts[key] = [0] * (len(self.bounds) + 1)
            self._sums[key] = 0.0
        return key

    def observe(self, value: float, labels: Mapping[str, str]) -> None:
        """Count one value under these labels."""
        key = self.show(labels)
        self._counts[key][bisect_left(self.bounds, value)] += 1
        self._sums[key] += value

    def samples(self) -> Iterator[Sample]:
        """Cumulative buckets, count and sum of each label set."""
        for key, counts in self._counts.items():
            total = 0
            for bound, count in zip([*self.bounds, math.inf], counts, strict=True):
                total += count
                yield Sample(self.family, key, total, "_bucket", (("le", _number(bound)),))
            yield Sample(self.family, key, total, "_count")
            yield Sample(self.family, key, self._sums[key], "_sum")
