"""Tests the texts that on-call reads."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.alerts import hub, test_storms
from tests.alerts.pages import (
    BEHIND,
    BLIND,
    CHANGE_FAILS,
    DISCOVERY,
    DOWN,
    FAILING,
    FAILING_LONG,
    LAG,
    MANY,
    MISSED,
    NO_NAME,
    NOT_STARTED,
    OVERDUE,
    PENDING,
    PENDING_LONG,
    REFUSALS,
    REFUSED,
    REJECTED,
    RESTARTING,
    SETUP,
    SHARD_MISSING,
    STALE,
    STALE_FROM,
    STALLED,
    STUCK,
    SUSPENDED,
    THROTTLED,
    changes_fail,
    dark,
    failed,
    fleet,
    missed,
    mode,
    rejected,
    silent,
    stalled,
    window,
)
from tests.alerts.stories import (
    DAY,
    DUE,
    HOUR,
    NAME,
    TICK,
    Alert,
    Page,
    alert,
    always,
    exporter,
    healthy,
    never,
    replica,
    steps,
    worded,
)
from tests.alerts.test_storms import FROM, tenants, whole
from tests.support.rules import NAMES, SEVERITIES

WHO = "Maple LMS (Maple Ridge, canopy-lms)"
AUGUST = "Its schools may start the year with last year's classes."

# The page, the minute, the alert, and what it says then.
WORDS: Mapping[str, tuple[Page, int, Alert, str]] = {
    "shard missing": (
        {'kimono_exporter_shard_info{shard="1",shards="3"}': always(1)},
        HOUR,
        SHARD_MISSING,
        (
            "At least one shard of the job kimono has had no exporter that answers scrapes for 10 minutes. Its tenants "
            "are not watched: a sync that fails for a school is not noticed."
        ),
    ),
    "down": (
        {'kimono_exporter_build_info{version="1"}': steps((0, 1), (HOUR, None))},
        HOUR + 12,
        DOWN,
        (
            "No exporter of the job kimono has answered a scrape for 5 minutes. Its tenants are not "
            "watched: a sync that "
            "fails for a school is not noticed."
        ),
    ),
    "restarting": (
        {"process_start_time_seconds": lambda minute: minute // 12 * 12 * 60},
        HOUR,
        RESTARTING,
        (
            "An exporter of the job kimono has restarted, or could not be scraped, repeatedly in the "
            "last hour. Alerts "
            "about tenants may be late: problems of schools are noticed later than usual."
        ),
    ),
    "discovery": (
        {"kimono_up": always(0)},
        HOUR,
        DISCOVERY,
        (
            "Discovery of tenants has failed for 15 minutes in every exporter of the job kimono, or of one "
            "of its shards. "
            "New schools are not watched, and new credentials are not used."
        ),
    ),
    "behind": (
        {LAG: always(1000)},
        HOUR,
        BEHIND,
        (
            "The most overdue poll of the job kimono is 16m 40s behind its interval. Data of some tenants "
            "are out of date: "
            "problems of schools are noticed late."
        ),
    ),
    "throttled": (
        {REFUSALS: lambda minute: minute * 100},
        2 * HOUR,
        THROTTLED,
        (
            "50% of the requests of the job kimono have been rejected with 429 for 30 minutes. Polls run "
            "late: problems of "
            "schools are noticed late."
        ),
    ),
    "unreachable": (
        dark(HOUR),
        2 * HOUR,
        BLIND,
        (
            f"{WHO} has not been polled successfully for 1h 0m 0s, at least in part. Its data are out of "
            "date, and other "
            "problems of its schools raise no alert."
        ),
    ),
    "rejected": (
        dark(HOUR, reason="auth"),
        2 * HOUR,
        REFUSED,
        (
            f"The credentials of {WHO} have been rejected for 1h 0m 0s, and the tenant list has no newer "
            "ones. Problems of "
            "its schools raise no alert."
        ),
    ),
    "stalled": (
        stalled(),
        7 * HOUR + TICK,
        STALLED,
        f"An ingestion of {WHO} has been unfinished for 6h 6m 0s. Its schools get no newer data until it ends.",
    ),
    "failing": (
        failed(DUE),
        DUE + 2 * HOUR,
        FAILING,
        (
            f"Ingestions of {WHO} have failed for 1h 30m 0s, with no success since. Its schools work with "
            "data as old as the "
            "last success."
        ),
    ),
    "overdue": (
        missed(),
        MISSED + TICK,
        OVERDUE,
        f"A schedule of {WHO} was due 2h 6m 0s ago and has not run. Its schools work with data of the day before.",
    ),
    "stale": (
        silent(),
        STALE_FROM + DAY,
        STALE,
        f"Nothing has run for {WHO} for 6d 0h 0m 0s. Changes in its schools have not arrived since.",
    ),
    "suspended": (
        mode("synchronization_suspended"),
        HOUR + DAY + HOUR,
        SUSPENDED,
        (
            f"Syncs of {WHO} have been suspended for 1d 1h 0m 0s, and no rollover is near. Changes in its "
            "schools do not "
            "arrive until the suspension ends."
        ),
    ),
    "mass change": (
        mode("mass_change_pending"),
        3 * HOUR,
        PENDING,
        (
            f"A large change of {WHO} has waited for approval for 2h 0m 0s. Its schools get no newer data "
            "until a person "
            "approves it."
        ),
    ),
    "setup": (
        mode("setup_mode_enabled"),
        HOUR + 4 * DAY,
        SETUP,
        f"{WHO} has been in setup mode for 4d 0h 0m 0s. No schedule runs, so its schools get no data.",
    ),
    "stuck": (
        mode("rollover_mode_enabled") | window(0, 3 * HOUR, "ongoing"),
        5 * HOUR,
        STUCK,
        (
            f"{WHO} is still in rollover mode, 2h 0m 0s after the end of the window, or after its start if there is no "
            "window. No schedule runs, so changes in its schools do not arrive."
        ),
    ),
    "not started": (
        healthy() | window(2 * HOUR, 9 * DAY),
        4 * HOUR,
        NOT_STARTED,
        f"The window of a rollover of {WHO} opened 2h 0m 0s ago, and nothing has happened. {AUGUST}",
    ),
    "status changes": (
        healthy() | window(DAY, 9 * DAY) | changes_fail(2 * HOUR),
        4 * HOUR,
        CHANGE_FAILS,
        f"A rollover of {WHO} has failed to change its status for 2h 0m 0s. {AUGUST}",
    ),
    "application": (
        rejected(HOUR),
        2 * HOUR,
        REJECTED,
        (
            f"The application of {WHO} has rejected the hub's credentials for 1h 0m 0s. Its schools see no "
            "newer data in it."
        ),
    ),
}
# Alerts with two severities that fire together.
BOTH: Mapping[str, tuple[Page, int, Mapping[Alert, str]]] = {
    "failing": (
        failed(DUE),
        DUE + 30 + 27 * HOUR,
        {
            FAILING: f"Ingestions of {WHO} have failed for 1d 3h 0m 0s, with no success since. Its schools work with "
            "data "
            "as old as the last success.",
            FAILING_LONG: f"No ingestion of {WHO} has succeeded for 1d 3h 0m 0s. Its schools miss the changes of a "
            "day: new students have no login.",
        },
    ),
    "mass change": (
        mode("mass_change_pending"),
        HOUR + 2 * DAY,
        {
            PENDING: f"A large change of {WHO} has waited for approval for 2d 0h 0m 0s. Its schools get no newer data "
            "until a person approves it.",
            PENDING_LONG: f"A large change of {WHO} has waited for approval for 2d 0h 0m 0s. Its schools have missed "
            "the changes of a night.",
        },
    ),
}


@pytest.mark.parametrize(("page", "minute", "one", "said"), WORDS.values(), ids=WORDS)
def test_an_alert_says_who_and_how_long(page: Page, minute: int, one: Alert, said: str) -> None:
    worded(replica(exporter() | page), minute, {one: said}, history=HOUR + TICK)


@pytest.mark.parametrize(("page", "minute", "said"), BOTH.values(), ids=BOTH)
def test_an_alert_says_who_and_how_long_in_both_severities(page: Page, minute: int, said: Mapping[Alert, str]) -> None:
    worded(replica(exporter() | page), minute, said)


def test_many_unreachable_tenants_say_how_many() -> None:
    said = (
        "40% of the tenants of the job kimono can't be polled. Their data are out of date, and problems "
        "of these schools "
        "raise no alert."
    )
    worded(fleet(4, 6), 2 * HOUR, {MANY: said})


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            "overdue",
            (
                "100% of the tenants{} that were due at the same hours are overdue (job kimono). Their schools "
                "work with data "
                "of the day before."
            ),
        ),
        (
            "stalled",
            (
                "100% of the tenants{} that started a run at the same hours have one that does not end (job "
                "kimono). Their "
                "schools get no newer data until it ends."
            ),
        ),
        (
            "failing",
            (
                "100% of the tenants, or of the ingestions of the last hours,{} fail (job kimono). Their "
                "schools work with "
                "data as old as the last success."
            ),
        ),
    ],
)
def test_an_alert_about_a_fleet_says_whose_tenants_and_how_many(problem: str, said: str) -> None:
    at = FROM[problem] + TICK
    all_of_them = test_storms.fleet(tenants(), problem, lambda _: True)
    worded(all_of_them, at, {whole(problem): said.format("")})
    some = test_storms.fleet(tenants(), problem, lambda one: one.integration == "quill")
    worded(some, at, {whole(problem, integration="quill"): said.format(" of the integration quill")})
    some = test_storms.fleet(tenants(), problem, lambda one: one.cloud == "eu-1")
    worded(some, at, {whole(problem, cloud_name="eu-1"): said.format(" in the cloud eu-1")})


def test_a_fleet_whose_ingestions_fail_says_how_many() -> None:
    burns = (
        "90% of the tenants, or of the ingestions of the last hours, fail (job kimono). Their schools "
        "work with data as "
        "old as the last success."
    )
    smoulders = (
        "90% of the ingestions of the job kimono that ended in the last days failed, and they still do. "
        "Some schools work "
        "with data as old as the last success."
    )
    said = {hub.BURNS: burns, hub.SMOULDERS: smoulders}
    worded(hub.fleet(0.9, range(DAY)), HOUR, said, hub.STEP, HOUR)


@pytest.mark.parametrize(
    ("name", "names", "who"),
    [
        (NO_NAME, NAMES, "t1 (Maple Ridge, canopy-lms)"),
        ("kimono_tenant_info", {}, "t1 (no account, no product)"),
    ],
    ids=["no name", "no names at all"],
)
def test_a_tenant_without_a_name_goes_by_its_id(name: str, names: Mapping[str, str], who: str) -> None:
    page = mode("mass_change_pending") | {NAME: never, name: always(1)}
    one = alert("KimonoMassChangePending", "warning", **{**names, "tenant_id": "t1", "tenant_name": "t1"})
    said = (
        f"A large change of {who} has waited for approval for 2h 0m 0s. Its schools get no newer data until a person "
        "approves it."
    )
    worded(replica(exporter() | page), 3 * HOUR, {one: said})


def test_no_alert_is_left_out() -> None:
    said = {one for _, _, one, _ in WORDS.values()} | {one for _, _, both in BOTH.values() for one in both}
    said |= {MANY, hub.BURNS, hub.SMOULDERS, *(whole(problem) for problem in FROM)}
    names = {(dict(one)["alertname"], dict(one)["severity"]) for one in said}
    assert names == {(name, severity) for name, severities in SEVERITIES.items() for severity in severities}
