"""Tests the texts that on-call reads."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.alerts import hub
from tests.alerts.pages import (
    AUTH_ERROR,
    BEHIND,
    BLIND,
    CHANGE_FAILS,
    DISCOVERY,
    DOWN,
    FAILING,
    FAILING_LONG,
    FAILURES,
    LAG,
    MANY,
    MISSED,
    NOT_STARTED,
    OVERDUE,
    PENDING,
    PENDING_LONG,
    REFUSALS,
    REFUSED,
    REJECTED,
    SETUP,
    STALE,
    STALE_FROM,
    STALLED,
    STARTED,
    STUCK,
    SUSPENDED,
    THROTTLED,
    dark,
    failed,
    fleet,
    missed,
    mode,
    silent,
    window,
)
from tests.alerts.stories import (
    DAY,
    DUE,
    HOUR,
    NAME,
    TICK,
    Alert,
    Value,
    alert,
    always,
    exporter,
    healthy,
    never,
    replica,
    steps,
    worded,
)
from tests.support.rules import NAMES, SEVERITIES

pytestmark = pytest.mark.slow

Page = dict[str, Value]
WHO = "Maple LMS (Maple Ridge, canopy-lms)"

# The page, the minute, and what is said then.
WORDS = {
    "down": (
        {'kimono_exporter_build_info{version="1"}': steps((0, 1), (HOUR, None))},
        HOUR + 12,
        {
            DOWN: (
                "No exporter of the job kimono has given a page for 5 minutes. Nobody is watching its tenants: no "
                "other Kimono alert can be raised or trusted."
            )
        },
    ),
    "discovery": (
        {"kimono_up": always(0)},
        HOUR,
        {
            DISCOVERY: (
                "Discovery has failed for 15 minutes for every exporter of the job kimono. New tenants are not "
                "watched, and new secrets are not learnt."
            )
        },
    ),
    "behind": (
        {LAG: always(1000)},
        HOUR,
        {
            BEHIND: (
                "The tenant that has waited for longest is 16m 40s behind its interval (job kimono). What is "
                "shown of some tenants is old."
            )
        },
    ),
    "throttled": (
        {REFUSALS: lambda minute: minute * 100},
        2 * HOUR,
        {THROTTLED: ("50% of the requests of the job kimono are refused with 429, for 30 minutes and more.")},
    ),
    "unreachable": (
        dark(HOUR),
        2 * HOUR,
        {
            BLIND: (
                f"{WHO} has not been readable for 40 minutes, or ever since it has been watched, at least in part. "
                "What is shown of it is old, and the other alerts about it keep silent."
            )
        },
    ),
    "rejected": (
        dark(HOUR, reason="auth"),
        2 * HOUR,
        {
            REFUSED: (
                f"The credentials of {WHO} have been rejected for 40 minutes, or ever since it has been watched. "
                "The tenant list carries new ones when there are any: there are none."
            )
        },
    ),
    "stalled": (
        healthy() | {STARTED: steps((HOUR, 3600.0))},
        7 * HOUR + TICK,
        {STALLED: (f"An ingestion of {WHO} has been unfinished for 6h 6m 0s. No newer data arrive until it ends.")},
    ),
    "failing": (
        failed(DUE),
        DUE + HOUR,
        {
            FAILING: (
                f"The newest finished ingestion of {WHO} did not end well, and no good one has followed. The first "
                "bad one started 1h 0m 0s ago."
            )
        },
    ),
    "failing for a day": (
        failed(DUE),
        DUE + DAY + HOUR,
        {
            FAILING: (
                f"The newest finished ingestion of {WHO} did not end well, and no good one has followed. The first "
                "bad one started 1d 1h 0m 0s ago."
            ),
            FAILING_LONG: (f"No ingestion of {WHO} has ended well for 1d 1h 0m 0s."),
        },
    ),
    "overdue": (
        missed(),
        MISSED + TICK,
        {OVERDUE: (f"A schedule of {WHO} was due 2h 6m 0s ago and has not run.")},
    ),
    "stale": (
        silent(),
        STALE_FROM + DAY,
        {STALE: (f"Nothing has been taken in for {WHO} for 6d 1h 0m 0s, whatever its schedules say.")},
    ),
    "suspended": (
        mode("synchronization_suspended"),
        HOUR + DAY + HOUR,
        {SUSPENDED: (f"Syncing of {WHO} has been suspended for 1d 1h 0m 0s, and no rollover is near.")},
    ),
    "mass change": (
        mode("mass_change_pending"),
        3 * HOUR,
        {
            PENDING: (
                f"The hub has held back a large change of {WHO} for 2h 0m 0s. Nothing flows until a person approves it."
            )
        },
    ),
    "mass change for a day": (
        mode("mass_change_pending"),
        HOUR + 2 * DAY,
        {
            PENDING: (
                f"The hub has held back a large change of {WHO} for 2d 0h 0m 0s. Nothing flows until a person "
                "approves it."
            ),
            PENDING_LONG: (
                f"The hub has held back a large change of {WHO} for 2d 0h 0m 0s. Nothing flows until a person "
                "approves it."
            ),
        },
    ),
    "setup": (
        mode("setup_mode_enabled"),
        HOUR + 4 * DAY,
        {SETUP: (f"{WHO} has been in setup mode for 4d 0h 0m 0s. Nothing is collected by schedule.")},
    ),
    "stuck": (
        mode("rollover_mode_enabled") | window(0, 3 * HOUR, "ongoing"),
        5 * HOUR,
        {
            STUCK: (
                f"{WHO} is still in rollover mode, 2h 0m 0s after it should have ended. Nothing is collected by "
                "schedule."
            )
        },
    ),
    "not started": (
        healthy() | window(2 * HOUR, 9 * DAY),
        4 * HOUR,
        {NOT_STARTED: (f"The window of a rollover of {WHO} opened 2h 0m 0s ago, and nothing has happened.")},
    ),
    "status changes": (
        healthy() | window(2 * HOUR, 9 * DAY) | {FAILURES: always(2)},
        4 * HOUR,
        {CHANGE_FAILS: (f"A rollover of {WHO} has failed to change its status, 2 times so far.")},
    ),
    "application": (
        healthy() | {AUTH_ERROR: always(1)},
        HOUR,
        {
            REJECTED: (
                f"The application behind {WHO} has rejected the hub's credentials for 30 minutes and more. Nothing "
                "is delivered to it."
            )
        },
    ),
}


@pytest.mark.parametrize(("page", "minute", "said"), WORDS.values(), ids=WORDS)
def test_an_alert_says_who_and_how_long(page: Page, minute: int, said: Mapping[Alert, str]) -> None:
    worded(replica(exporter() | page), minute, said)


def test_many_unreachable_tenants_say_how_many() -> None:
    said = "40% of the tenants of the job kimono can't be read. The single ones are not told of while this lasts."
    worded(fleet(4, 6), 2 * HOUR, {MANY: said})


def test_a_fleet_whose_ingestions_fail_says_how_many() -> None:
    burns = (
        "90% of the ingestions of the job kimono that ended in the last hours ended badly, and they still do. "
        "The single tenants are not told of while this lasts."
    )
    smoulders = "90% of the ingestions of the job kimono that ended in the last days ended badly, and they still do."
    worded(hub.fleet(0.9, range(DAY)), HOUR, {hub.BURNS: burns, hub.SMOULDERS: smoulders}, hub.STEP)


@pytest.mark.parametrize(
    ("name", "names", "who"),
    [
        (NAME.replace("Maple LMS", ""), NAMES, "t1 (Maple Ridge, canopy-lms)"),
        ("kimono_tenant_info", {}, "t1 (no account, no product)"),
    ],
    ids=["no name", "no names at all"],
)
def test_a_tenant_without_a_name_goes_by_its_id(name: str, names: Mapping[str, str], who: str) -> None:
    page = mode("mass_change_pending") | {NAME: never, name: always(1)}
    one = alert("KimonoMassChangePending", "warning", **{**names, "tenant_id": "t1", "tenant_name": "t1"})
    said = f"The hub has held back a large change of {who} for 2h 0m 0s. Nothing flows until a person approves it."
    worded(replica(exporter() | page), 3 * HOUR, {one: said})


def test_no_alert_is_left_out() -> None:
    said = {(dict(one)["alertname"], dict(one)["severity"]) for _, _, alerts in WORDS.values() for one in alerts}
    said |= {(dict(one)["alertname"], dict(one)["severity"]) for one in (MANY, hub.BURNS, hub.SMOULDERS)}
    assert said == {(name, severity) for name, severities in SEVERITIES.items() for severity in severities}
