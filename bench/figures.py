"""Holds what a benchmark has measured: figures by size and run, their noise, and the targets that they are to reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from rich.table import Table

# The size for which targets are set.
TARGET_TENANTS = 10_000


@dataclass(frozen=True)
class Target:
    """The largest value that a figure may have."""

    figure: str
    most: float


@dataclass
class Figures:
    """Figures by name and number of tenants, one value for each run, in the order in which they were added."""

    runs: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def add(self, tenants: int, measured: Mapping[str, float]) -> None:
        """Add the figures of one run."""
        for name, value in measured.items():
            self.runs.setdefault(name, {}).setdefault(tenants, []).append(value)

    def sizes(self) -> list[int]:
        """The numbers of tenants."""
        return sorted({size for by_size in self.runs.values() for size in by_size})

    def table(self, title: str) -> Table:
        """Medians by size, the lowest and highest where runs differ, and by how much figures grow from size to size."""
        sizes = self.sizes()
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("tenants")
        for size in sizes:
            table.add_column(f"{size:,}", justify="right")
        for smaller, larger in pairwise(sizes):
            table.add_column(f"times from\n{smaller:,} to {larger:,}", justify="right")
        for name, by_size in self.runs.items():
            cells = [_cell(by_size.get(size, [])) for size in sizes]
            growth = [_growth(by_size.get(smaller, []), by_size.get(larger, [])) for smaller, larger in pairwise(sizes)]
            table.add_row(name, *cells, *growth)
        return table

    def compare(self, targets: Iterable[Target]) -> Iterator[tuple[bool, str]]:
        """For each target, whether it is missed by more than the noise, and what to print.

        The noise is the difference between the highest and the lowest run.
        """
        for target in targets:
            values = self.runs.get(target.figure, {}).get(TARGET_TENANTS)
            if not values:
                yield False, f"not measured  {target.figure}: at most {number(target.most)}"
                continue
            middle, noise = median(values), max(values) - min(values)
            missed = middle - target.most > noise
            word = "reached" if middle <= target.most else "MISSED " if missed else "unclear"
            runs = f", {len(values)} runs differ by {number(noise)}" if len(values) > 1 else ""
            yield missed, f"{word}  {target.figure}: {number(middle)}, at most {number(target.most)}{runs}"


def number(value: float) -> str:
    """A value with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    spread = f" ({number(min(values))}-{number(max(values))})" if len(values) > 1 else ""
    return number(median(values)) + spread


def _growth(before: Sequence[float], after: Sequence[float]) -> str:
    if not before or not after or not median(before):
        return ""
    return number(median(after) / median(before))
