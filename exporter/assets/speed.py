"""Speeds up rules and thresholds, so that an alert of hours fires within minutes: for drills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.thresholds import THRESHOLDS

# Whether facts are up to date depends on the poll intervals, which are not sped up.
_NOT_SPED_UP = ("data_age", "data_age_always", "replica_behind")
# Below these, a missed scrape or poll would make alerts fire or resolve.
_LEAST_WAIT, _LEAST_INTERVAL, _LEAST_THRESHOLD = 15.0, 5.0, 30.0


@dataclass(frozen=True)
class Speed:
    """Divides durations (seconds) by a factor of at least 1, and rounds them: ranges of PromQL are whole seconds.

    No duration becomes longer, or shorter than 30 s (thresholds), 15 s (`for`, `keep_firing_for`) or 5 s (interval).
    `evaluated_each` (seconds), if given, is the interval, whatever the factor.
    """

    factor: float = 1.0
    evaluated_each: float | None = None

    def wait(self, seconds: float) -> float:
        """The time of `for` and `keep_firing_for`."""
        return self._shorter(seconds, _LEAST_WAIT)

    def interval(self, seconds: float) -> float:
        """The time between evaluations."""
        return self.evaluated_each or self._shorter(seconds, _LEAST_INTERVAL)

    def thresholds(self, values: Mapping[str, float]) -> dict[str, float]:
        """The thresholds in their units. Shares and counts stay, and the ages from which facts are out of date."""
        return {
            name: self._shorter(value, _LEAST_THRESHOLD) if _is_sped_up(name) else value
            for name, value in values.items()
        }

    def _shorter(self, seconds: float, least: float) -> float:
        return seconds if self.factor <= 1 else min(seconds, max(least, float(round(seconds / self.factor))))


def _is_sped_up(name: str) -> bool:
    return THRESHOLDS[name].unit == "seconds" and name not in _NOT_SPED_UP
