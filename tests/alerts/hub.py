"""Builds the pages of a fleet whose ingestions fail: the ends that an exporter counts, and the tenants that fail.

The fleet's ingestions end at an even pace, one a minute, unless a story says otherwise.
"""

from __future__ import annotations

from tests.alerts.stories import (
    DAY,
    HOUR,
    LAST_FAILURE,
    LAST_SUCCESS,
    Value,
    alert,
    always,
    exporter,
    replica,
    steps,
)

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
    """One whose newest ingestion is bad in these minutes, and is made good after."""
    return {
        "kimono_tenant_up": always(1),
        LAST_SUCCESS: steps((0, -60), (trouble.stop, trouble.stop * 60)),
        LAST_FAILURE: steps((trouble.start, trouble.start * 60)),
    }


def tenants(failing: int, trouble: range, instance: str = "one", job: str = "kimono") -> dict[str, Value]:
    series: dict[str, Value] = {}
    for number in range(failing):
        series |= replica(tenant(trouble), instance, f"t{number}", job)
    return series


def fleet(share: float, trouble: range, failing: int = FAILING, state: str = "failed") -> dict[str, Value]:
    """A hub that is in trouble in these minutes, as one exporter tells it."""
    return replica(exporter(TENANTS) | ends(share, trouble, state)) | tenants(failing, trouble)
