"""Builds the pages of a fleet whose ingestions fail: the ends that an exporter counts, and the tenants that fail.

The fleet's ingestions end at an even pace, one a minute, unless a story says otherwise.
"""

from __future__ import annotations

from tests.alerts.pages import FAILING_SINCE
from tests.alerts.stories import DAY, HOUR, LAST_SUCCESS, Value, alert, always, exporter, replica, since
from tests.alerts.stories import NAME as NAMED

NAME = "KimonoFleetIngestionsFailing"
FAILING = 8
BEGIN = 3 * HOUR  # of the trouble; before it all is well
BURNS = alert(NAME, "critical", job="kimono")
SMOULDERS = alert(NAME, "warning", job="kimono")
TENANTS = 40
STEP = 2  # two scrapes and more in the shortest window
FOR_EVER = 100 * DAY


def ended(state: str) -> str:
    return f'kimono_ingestion_duration_seconds_count{{ingestion_type="collection",state="{state}"}}'


def minutes_of(trouble: range, minute: int) -> int:
    return max(0, min(minute, trouble.stop) - trouble.start)


def ends(share: float, trouble: range, state: str = "failed") -> dict[str, Value]:
    """The counts of an exporter, where this share of the ends is bad in these minutes."""

    def bad(minute: int) -> float:
        return share * minutes_of(trouble, minute)

    return {ended(state): bad, ended("success"): lambda minute: minute - bad(minute)}


def tenant(trouble: range) -> dict[str, Value]:
    """One whose ingestions have failed, when the trouble begins, for as long as it takes to count."""
    return {NAMED: always(1), FAILING_SINCE: since(trouble.start - HOUR, trouble.stop)}


def failing_ones(failing: int, trouble: range, instance: str = "one", job: str = "kimono") -> dict[str, Value]:
    series: dict[str, Value] = {}
    for number in range(failing):
        series |= replica(tenant(trouble), instance, f"t{number}", job)
    return series


def fleet(
    share: float, trouble: range, failing: int = FAILING, state: str = "failed", tenants: int = TENANTS
) -> dict[str, Value]:
    """A hub that is in trouble in these minutes, as one exporter tells it."""
    series = replica(exporter() | ends(share, trouble, state)) | failing_ones(failing, trouble)
    return series | others(trouble, range(failing, tenants))


def others(trouble: range, numbers: range) -> dict[str, Value]:
    """Tenants that ran well at the hour at which some began to fail: too few fail for that alone to be an alert."""
    well: dict[str, Value] = {NAMED: always(1), LAST_SUCCESS: always((trouble.start - HOUR) * 60)}
    series: dict[str, Value] = {}
    for number in numbers:
        series |= replica(well, "one", f"t{number}")
    return series
