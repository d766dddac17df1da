"""Turns samples into the lines of an exposition.

This is the only module that knows the exposition formats: text 0.0.4 and OpenMetrics 1.0
(https://prometheus.io/docs/instrumenting/exposition_formats/). It knows nothing of the API. What it writes is, to the
byte, what prometheus-client's `generate_latest` would write; a property test compares them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from prometheus_client.utils import floatToGoString

Kind = Literal["gauge", "counter", "histogram"]


class Sample(NamedTuple):
    """A family, its label values in the order of `family.labels`, and a value.

    `suffix` and `extra` labels are those of a histogram's lines.
    """

    family: Family
    values: tuple[str, ...]
    value: float
    suffix: str = ""
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Family:
    """A metric's name, type, help and label names; calling it makes a checked `Sample`.

    A counter's `name` ends in `_total`. `labels` are sorted here, so that pages are the same from run to run. A
    histogram's `buckets` are their upper bounds in the family's unit, ascending, without infinity.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(sorted(self.labels)))
        if (self.kind == "counter") != self.name.endswith("_total"):
            raise ValueError(f"{self.name}: counters, and nothing else, end in _total")

    def __hash__(self) -> int:
        return hash(self.name)

    @cached_property
    def template(self) -> str:
        """A series of this family, with a place for each label's value."""
        labels = ",".join([f'{name}="%s"' for name in self.labels])
        return f"{self.name}{{{labels}}}" if labels else self.name

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


def polled(name: str, text: str, *labels: str, kind: Kind = "gauge", buckets: Sequence[float] = ()) -> Family:
    """A family that polls fill; its help says so, as the guide "Writing exporters" asks."""
    return Family(name, kind, f"{text} Cached from the last poll.", labels, tuple(buckets))


def known(*pairs: tuple[Family, float | None], **labels: str) -> list[Sample]:
    """Samples of the facts that the API gave, with these labels; none for null or missing ones."""
    return [family(value, **labels) for family, value in pairs if value is not None]


def render(samples: Iterable[Sample]) -> dict[str, bytes]:
    """The lines of each family, keyed by its name. Of two samples of one series the later one stays."""
    lines: dict[str, dict[str, str]] = {}
    for sample in samples:
        series = _series(sample)
        lines.setdefault(sample.family.name, {})[series] = f"{series} {number(sample.value)}\n"
    return {name: "".join(series.values()).encode() for name, series in lines.items()}


def _series(sample: Sample) -> str:
    family, values = sample.family, sample.values
    if sample.extra or sample.suffix:
        pairs = sorted([*zip(family.labels, map(_escape, values), strict=True), *sample.extra])
        labels = ",".join([f'{name}="{value}"' for name, value in pairs])
        return f"{family.name}{sample.suffix}{{{labels}}}" if labels else family.name + sample.suffix
    series = family.template % values
    # The values are looked at together, because nearly none has a character to escape.
    if "\\" in series or "\n" in series or series.count('"') != 2 * len(values):
        return family.template % tuple(map(_escape, values))
    return series


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """A value as both formats write it."""
    if value == 1:
        return "1.0"
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]  # prometheus-client gives it no types
