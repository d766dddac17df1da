"""Tests the alerts about an exporter, an API or a tenant that fails: once, and only if it lasts."""

from __future__ import annotations

from functools import partial

from tests.alerts.pages import (
    BEHIND,
    BLIND,
    DISCOVERY,
    DOWN,
    DOWN_NAMELESS,
    LAG,
    MANY,
    REFUSALS,
    REFUSED,
    THROTTLED,
    dark,
    fleet,
)
from tests.alerts.stories import (
    COLLECTORS,
    HOUR,
    TICK,
    alert,
    always,
    check,
    exporter,
    failing,
    flag,
    healthy,
    never,
    polled,
    replica,
    scraped,
    steps,
    without,
)
from tests.support.rules import NAMES

PENDING = alert("KimonoMassChangePending", "warning")


EXPORTER = ("KimonoExporterDown", "KimonoDiscoveryFailing", "KimonoPollingBehind", "KimonoApiThrottled")
TENANTS = ("KimonoManyTenantsUnreachable", "KimonoTenantUnreachable", "KimonoTenantCredentialsRejected")
check_exporter = partial(check, about=EXPORTER)
check_tenants = partial(check, about=TENANTS)


# The exporter


def test_an_exporter_that_is_gone_is_told_of_after_five_minutes_and_comes_back() -> None:
    page = without(exporter() | healthy(), [range(60, 90)])
    scraped(replica(page), {64: [], 78: [DOWN], 89: [DOWN], 92: []}, step=1, about=EXPORTER)


def test_a_restart_is_not_told_of() -> None:
    scraped(replica(without(exporter() | healthy(), [range(60, 68)])), {minute: [] for minute in range(60, 90)}, step=1)


def test_an_exporter_that_was_never_there_is_told_of() -> None:
    scraped({'up{job="other"}': always(1)}, {0: [], 12: [DOWN_NAMELESS]}, about=EXPORTER)


def test_one_of_two_exporters_may_be_gone() -> None:
    page = exporter() | healthy()
    scraped(replica(page, "one") | replica(without(page, [range(60, 600)]), "two"), {120: []})


def test_the_other_job_does_not_hide_it() -> None:
    page = exporter() | healthy()
    there = replica(page, job="elsewhere", tenant_id="t2")
    scraped(there | replica(without(page, [range(60, 600)])), {120: [DOWN]})


def test_discovery_that_fails_for_a_quarter_of_an_hour_is_told_of_and_ends() -> None:
    page = healthy() | {"kimono_up": steps((0, 1), (60, 0), (120, 1))}
    check_exporter(page, {72: [], 78: [DISCOVERY], 114: [DISCOVERY], 144: []})


def test_a_discovery_that_succeeds_for_some_minutes_does_not_resolve_the_alert() -> None:
    page = healthy() | {"kimono_up": steps((0, 1), (60, 0), (120, 1), (126, 0))}
    check_exporter(page, {114: [DISCOVERY], 120: [DISCOVERY], 126: [DISCOVERY], 132: [DISCOVERY]})


def test_a_first_discovery_that_never_ends_is_told_of() -> None:
    scraped(
        replica(exporter() | {"kimono_up": never, "kimono_tenants": never}), {12: [], 24: [DISCOVERY]}, about=EXPORTER
    )


def test_discovery_of_one_replica_is_enough() -> None:
    failing_one = exporter() | {"kimono_up": always(0)}
    scraped(replica(exporter(), "one") | replica(failing_one, "two"), {60: []}, about=EXPORTER)


def test_polling_that_is_behind_is_told_of_after_a_quarter_of_an_hour_and_ends() -> None:
    page = healthy() | {LAG: steps((0, 0), (60, 901), (120, 0))}
    check_exporter(page, {72: [], 78: [BEHIND], 114: [BEHIND], 144: []})


def test_polling_that_is_a_little_behind_is_not_told_of() -> None:
    check_exporter(healthy() | {LAG: always(800)}, {120: []})


def test_the_replica_that_is_in_time_counts() -> None:
    late = exporter() | {LAG: always(4000)}
    scraped(replica(exporter(), "one") | replica(late, "two"), {120: []}, about=EXPORTER)


def test_refusals_that_last_are_told_of_and_end() -> None:
    page = healthy() | {REFUSALS: lambda minute: 20 * min(max(0, minute - 60), 120)}
    check_exporter(page, {84: [], 102: [THROTTLED], 180: [THROTTLED], 240: []})


def test_a_burst_of_refusals_is_not_told_of() -> None:
    check_exporter(
        healthy() | {REFUSALS: lambda minute: 1000 if minute >= 60 else 0}, {minute: [] for minute in range(0, 180, 6)}
    )


# Tenants


def test_a_tenant_that_can_not_be_read_is_told_of_after_fifty_minutes_and_is_back() -> None:
    end = 3 * HOUR
    check_tenants(dark(HOUR, end), {HOUR + 42: [], HOUR + 54: [BLIND], end - TICK: [BLIND], end + 24: []})


def test_a_tenant_that_one_collector_can_not_read_is_told_of_too() -> None:
    page = healthy() | {
        "kimono_tenant_up": steps((0, 1), (HOUR, 0)),
        polled("rollovers"): lambda minute: min(minute, HOUR) * 60,
        failing("rollovers", "forbidden"): steps((HOUR, 1)),
    }
    check_tenants(page, {HOUR + 42: [], HOUR + 60: [BLIND]})


def test_a_slow_collector_may_fail_once_or_twice() -> None:
    begin, end = HOUR, HOUR + 30
    page = healthy() | {
        polled("rollovers"): lambda minute: (begin - 15) * 60 if begin - 15 <= minute < end else minute * 60,
        failing("rollovers", "timeout"): lambda minute: 1 if begin <= minute < end else None,
    }
    check_tenants(page, {minute: [] for minute in range(0, 3 * HOUR, TICK)})


def test_rejected_credentials_are_an_alert_of_their_own() -> None:
    check_tenants(dark(HOUR, 3 * HOUR, "auth"), {HOUR + 42: [], HOUR + 54: [REFUSED], 3 * HOUR + 24: []})


def test_a_secret_that_was_rotated_is_learnt_in_time() -> None:
    check_tenants(dark(HOUR, HOUR + 20, "auth"), {minute: [] for minute in range(HOUR, 3 * HOUR, TICK)})


def test_a_tenant_that_has_never_been_read_is_told_of() -> None:
    page = dict.fromkeys(healthy(), never) | {
        "kimono_tenant_up": always(0),
        failing("state", "timeout"): always(1),
        next(iter(healthy())): always(1),
    }
    check_tenants(page, {6: [], 18: [BLIND]})


def test_one_replica_that_can_read_the_tenant_is_enough() -> None:
    one, two = exporter() | healthy(), exporter() | dark(HOUR)
    scraped(replica(one, "one") | replica(two, "two"), {3 * HOUR: []}, about=TENANTS)


def test_two_replicas_that_can_not_raise_one_alert() -> None:
    page = exporter() | dark(HOUR)
    scraped(replica(page, "one") | replica(page, "two"), {3 * HOUR: [BLIND]}, about=TENANTS)


def test_a_restart_of_the_exporter_does_not_end_it() -> None:
    page = dark(HOUR)
    for name in COLLECTORS:
        page[polled(name)] = lambda minute: min(minute, HOUR) * 60 if minute < 3 * HOUR else None
    restarted = without(page, [range(3 * HOUR, 3 * HOUR + 6)])
    check_tenants(restarted, {minute: [BLIND] for minute in range(2 * HOUR, 4 * HOUR)}, step=1)


def test_a_restart_does_not_make_a_short_failure_a_long_one() -> None:
    """A restarted exporter has forgotten when it last succeeded."""
    down, end = range(HOUR, HOUR + 3), HOUR + 15
    page = healthy() | {
        polled("rollovers"): lambda minute: None if HOUR <= minute < end else minute * 60,
        failing("rollovers", "timeout"): lambda minute: 1 if HOUR <= minute < end else None,
    }
    check_tenants(without(page, [down]), {minute: [] for minute in range(HOUR, 2 * HOUR)}, step=1)


# Many


def test_a_fifth_of_the_fleet_is_one_alert_and_silences_the_single_ones() -> None:
    expected = {HOUR + 12: [], HOUR + 24: [MANY], HOUR + 90: [MANY], 4 * HOUR - TICK: [MANY], 4 * HOUR + 24: []}
    scraped(fleet(2, 8, until=4 * HOUR), expected, about=TENANTS)


def test_less_than_a_fifth_are_single_ones() -> None:
    single = alert("KimonoTenantUnreachable", "warning", tenant_id="t0", **dict(NAMES))
    scraped(fleet(1, 9), {HOUR + 24: [], HOUR + 60: [single]}, about=TENANTS)


def test_one_tenant_is_never_many() -> None:
    single = alert("KimonoTenantUnreachable", "warning", tenant_id="t0", **dict(NAMES))
    scraped(fleet(1, 1), {HOUR + 24: [], HOUR + 60: [single]}, about=TENANTS)


def test_an_outage_of_five_minutes_is_not_told_of_although_slow_collectors_notice_late_that_it_is_over() -> None:
    series = fleet(0, 3)
    for number in range(3):
        failed = {
            "kimono_tenant_up": steps((0, 1), (HOUR, 0), (HOUR + 20, 1)),
            failing("rollovers", "network"): steps((HOUR, 1), (HOUR + 20, None)),
        }
        series |= replica(failed, tenant_id=f"t{number}")
    scraped(series, {minute: [] for minute in range(HOUR, 2 * HOUR, TICK)}, about=TENANTS)


def test_when_the_whole_api_is_down_what_is_known_of_tenants_is_silent() -> None:
    series = fleet(2, 0, until=5 * HOUR)
    held = {flag("mass_change_pending"): steps((0, 0), (HOUR + TICK, 1))}
    for number in range(2):
        series |= replica(held, tenant_id=f"t{number}")
    scraped(series, {HOUR + 24: [MANY], 4 * HOUR: [MANY]})
