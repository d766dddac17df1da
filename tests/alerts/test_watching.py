"""Tests the alerts about an exporter, an API or a tenant that fails: once, and only if it lasts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from tests.alerts.pages import (
    BEGUN,
    BEHIND,
    BLIND,
    DISCOVERY,
    DOWN,
    DOWN_NAMELESS,
    LAG,
    MANY,
    PENDING,
    REFUSALS,
    REFUSED,
    RESTARTING,
    THROTTLED,
    dark,
    fleet,
    mode,
    old,
)
from tests.alerts.stories import (
    COLLECTORS,
    HOUR,
    TICK,
    Page,
    Value,
    alert,
    always,
    check,
    exporter,
    failing,
    failing_since,
    healthy,
    never,
    polled,
    replica,
    scraped,
    since,
    steps,
    without,
)
from tests.support.rules import NAMES

EXPORTER = ("KimonoExporterDown", "KimonoDiscoveryFailing", "KimonoPollingBehind", "KimonoApiThrottled")
TENANTS = ("KimonoManyTenantsUnreachable", "KimonoTenantUnreachable", "KimonoTenantCredentialsRejected")
RESTARTS = ("KimonoExporterRestarting",)
check_exporter = partial(check, about=EXPORTER, history=2 * HOUR)
check_tenants = partial(check, about=TENANTS)
scraped_exporters = partial(scraped, about=EXPORTER, history=2 * HOUR)


def shard(index: int, total: int = 2) -> dict[str, Value]:
    return {f'kimono_exporter_shard_info{{shard="{index}",shards="{total}"}}': always(1)}


# The exporter


def test_an_exporter_that_is_gone_alerts_after_five_minutes_and_comes_back() -> None:
    page = without(exporter() | healthy(), [range(60, 90)])
    scraped(replica(page), {64: [], 67: [DOWN], 89: [DOWN], 92: []}, step=1, about=EXPORTER)


def test_a_restart_is_no_alert() -> None:
    restarted = without(exporter() | healthy(), [range(60, 63)])
    scraped(replica(restarted), {minute: [] for minute in range(60, 84, 4)}, step=1)


def test_an_exporter_that_was_never_there_alerts() -> None:
    scraped({'up{job="other"}': always(1)}, {0: [DOWN_NAMELESS]}, about=EXPORTER)


def test_one_of_two_exporters_may_be_gone() -> None:
    page = exporter() | healthy()
    scraped(replica(page, "one") | replica(without(page, [range(60, 600)]), "two"), {120: []}, history=2 * HOUR)


def test_the_other_job_does_not_hide_it() -> None:
    page = exporter() | healthy()
    there = replica(page, job="elsewhere", tenant_id="t2")
    scraped(there | replica(without(page, [range(60, 600)])), {120: [DOWN]}, history=2 * HOUR)


def test_discovery_that_fails_for_a_quarter_of_an_hour_alerts_and_resolves() -> None:
    page = healthy() | {"kimono_up": steps((-1000, 1), (60, 0), (120, 1))}
    check_exporter(page, {72: [], 78: [DISCOVERY], 114: [DISCOVERY], 144: []})


def test_a_discovery_that_succeeds_for_some_minutes_does_not_resolve_the_alert() -> None:
    page = healthy() | {"kimono_up": steps((-1000, 1), (60, 0), (120, 1), (126, 0))}
    check_exporter(page, {120: [DISCOVERY], 126: [DISCOVERY], 132: [DISCOVERY]})


def test_a_first_discovery_that_never_ends_alerts() -> None:
    begun = without(exporter() | {"kimono_up": never, "kimono_tenants": never}, [range(-1000, 0)])
    scraped_exporters(replica(begun), {12: [], 24: [DISCOVERY]})


def test_a_discovery_that_fails_while_the_exporter_restarts_every_ten_minutes_alerts() -> None:
    failing_one = replica(exporter() | {"kimono_up": always(0)})
    restarting = without(failing_one, [range(minute, minute + 5) for minute in range(60, 200, 10)])
    scraped_exporters(restarting | replica(exporter(), job="other"), {100: [DISCOVERY], 160: [DISCOVERY]}, step=1)


def test_discovery_of_one_replica_is_enough() -> None:
    failing_one = exporter() | {"kimono_up": always(0)}
    scraped_exporters(replica(exporter(), "one") | replica(failing_one, "two"), {60: []})


def test_discovery_of_one_shard_is_not_enough() -> None:
    failing_one = exporter() | {"kimono_up": always(0)} | shard(1)
    series = replica(exporter() | shard(0), "one") | replica(failing_one, "two")
    scraped_exporters(series, {60: [DISCOVERY]})
    scraped_exporters(series | replica(exporter() | shard(1), "three"), {60: []})


def test_polling_that_is_behind_alerts_after_a_quarter_of_an_hour_and_resolves() -> None:
    page = healthy() | {LAG: steps((-1000, 0), (60, 901), (120, 0))}
    check_exporter(page, {72: [], 78: [BEHIND], 114: [BEHIND], 144: []})


def test_polling_that_is_a_little_behind_is_no_alert() -> None:
    check_exporter(healthy() | {LAG: always(800)}, {120: []})


def test_the_replica_that_is_in_time_counts() -> None:
    late = exporter() | {LAG: always(4000)}
    scraped_exporters(replica(exporter(), "one") | replica(late, "two"), {120: []})


def test_a_shard_that_is_in_time_does_not_hide_another_that_is_late() -> None:
    late = exporter() | {LAG: always(4000)} | shard(1)
    scraped_exporters(replica(exporter() | shard(0), "one") | replica(late, "two"), {120: [BEHIND]})


def test_requests_that_are_throttled_for_half_an_hour_alert() -> None:
    page = healthy() | {REFUSALS: lambda minute: max(0, minute - 60) * 100}
    check_exporter(page, {84: [], 102: [THROTTLED]})


def test_a_few_throttled_requests_are_no_alert() -> None:
    check_exporter(healthy() | {REFUSALS: lambda minute: minute * 4}, {120: []})


# Up and down


def crash_loop(up: int, cycle: int) -> dict[str, Value]:
    """After the first hour, an exporter that is up for some minutes of each cycle."""

    def is_up(minute: int) -> bool:
        return minute < HOUR or minute % cycle < up

    page = (
        exporter() | healthy() | {"process_start_time_seconds": lambda m: (m // cycle * cycle if m >= HOUR else 0) * 60}
    )
    seen = {name: lambda minute, value=value: value(minute) if is_up(minute) else None for name, value in page.items()}
    return seen | {"up": lambda minute: float(is_up(minute))}


@pytest.mark.parametrize(("up", "cycle"), [(1, 6), (2, 5), (9, 10), (3, 12)])
def test_an_exporter_that_is_up_and_down_all_the_time_is_noticed_within_the_hour(up: int, cycle: int) -> None:
    expected = {HOUR: [], 2 * HOUR: [RESTARTING], 3 * HOUR: [RESTARTING], 3 * HOUR + 4: [RESTARTING]}
    scraped(replica(crash_loop(up, cycle)), expected, step=1, about=RESTARTS, history=HOUR)


@pytest.mark.parametrize("gap", [[range(20, 60)], [range(10, 12), range(50, 52)]])
def test_one_outage_or_two_upgrades_in_an_hour_are_not_restarting(gap: list[range]) -> None:
    page = without(exporter() | healthy(), gap)
    page["up"] = lambda minute: float(not any(minute in each for each in gap))
    page["process_start_time_seconds"] = lambda minute: 60 * sum(minute >= each.stop for each in gap)
    scraped(replica(page), {40: [], 62: [], 70: []}, step=1, about=RESTARTS, history=HOUR)


def test_a_program_of_the_same_job_that_is_no_exporter_may_restart() -> None:
    other = {name: value for name, value in crash_loop(1, 6).items() if not name.startswith("kimono_")}
    scraped(replica(exporter(), "one") | replica(other, "two"), {2 * HOUR: []}, step=1, about=RESTARTS, history=HOUR)


def test_one_of_two_exporters_that_restarts_is_one_alert() -> None:
    series = replica(exporter() | healthy(), "one") | replica(crash_loop(1, 6), "two")
    scraped(series, {2 * HOUR: [RESTARTING]}, step=1, about=RESTARTS, history=HOUR)


# Tenants


def test_a_tenant_that_can_not_be_polled_alerts_after_forty_minutes_and_is_back() -> None:
    end = 3 * HOUR
    check_tenants(dark(HOUR, end), {HOUR + 36: [], HOUR + 42: [BLIND], end - TICK: [BLIND], end + 18: []})


def test_a_tenant_that_one_collector_can_not_poll_alerts_too() -> None:
    check_tenants(healthy() | old("rollovers", HOUR, "forbidden"), {HOUR + 36: [], HOUR + 42: [BLIND]})


def test_a_slow_collector_may_fail_once_or_twice() -> None:
    begin = HOUR
    page = healthy() | old("rollovers", begin, end=begin + 30)
    check_tenants(page, {minute: [] for minute in range(begin, begin + HOUR, TICK)})


def test_rejected_credentials_are_an_alert_of_their_own() -> None:
    check_tenants(dark(HOUR, 3 * HOUR, "auth"), {HOUR + 36: [], HOUR + 54: [REFUSED], 3 * HOUR + 18: []})


def test_credentials_that_one_collector_finds_rejected_are_the_reason() -> None:
    page = dark(HOUR) | {failing("state", "timeout"): never, failing_since("state", "timeout"): never}
    page |= {failing("state", "auth"): steps((HOUR, 1)), failing_since("state", "auth"): since(HOUR)}
    check_tenants(page, {2 * HOUR: [REFUSED]})


def test_a_secret_that_was_rotated_is_learnt_in_time() -> None:
    check_tenants(dark(HOUR, HOUR + 20, "auth"), {minute: [] for minute in range(HOUR, 2 * HOUR, TICK)})


def test_a_tenant_that_has_never_been_polled_alerts() -> None:
    page = dark(0) | dict.fromkeys((polled(name) for name in COLLECTORS), never)
    check_tenants(page, {36: [], 42: [BLIND]})


def test_one_replica_that_can_poll_the_tenant_is_enough() -> None:
    one, two = exporter() | healthy(), exporter() | dark(HOUR)
    scraped(replica(one, "one") | replica(two, "two"), {3 * HOUR: []}, about=TENANTS)


def test_one_replica_that_has_never_polled_the_tenant_is_no_alert() -> None:
    one = exporter() | healthy()
    two = exporter() | dark(HOUR) | dict.fromkeys((polled(name) for name in COLLECTORS), never)
    scraped(replica(one, "one") | replica(two, "two"), {3 * HOUR: []}, about=TENANTS)


def test_two_replicas_that_can_not_raise_one_alert() -> None:
    page = exporter() | dark(HOUR)
    scraped(replica(page, "one") | replica(page, "two"), {3 * HOUR: [BLIND]}, about=TENANTS)


def test_a_restart_of_the_exporter_does_not_end_it() -> None:
    restarted = without(dark(HOUR), [range(3 * HOUR, 3 * HOUR + 6)])
    check_tenants(restarted, {3 * HOUR + minute: [BLIND] for minute in (0, 2, 5, 6, 10)}, step=1)


# Many


def test_a_fifth_of_the_fleet_is_one_alert_and_suppresses_the_single_ones() -> None:
    expected = {HOUR + 6: [], HOUR + 12: [MANY], HOUR + 90: [MANY], 4 * HOUR - TICK: [MANY], 4 * HOUR + 18: []}
    scraped(fleet(2, 8, end=4 * HOUR), expected, about=TENANTS)


def test_less_than_a_fifth_are_single_ones() -> None:
    single = alert("KimonoTenantUnreachable", "warning", tenant_id="t0", **NAMES)
    scraped(fleet(1, 9), {HOUR + 24: [], HOUR + 60: [single]}, about=TENANTS)


def test_one_tenant_is_never_many() -> None:
    single = alert("KimonoTenantUnreachable", "warning", tenant_id="t0", **NAMES)
    scraped(fleet(1, 1), {HOUR + 24: [], HOUR + 60: [single]}, about=TENANTS)


def sharded(bad: int) -> Page:
    """Two shards with five tenants each, of which so many can't be polled, all in one shard."""
    series: dict[str, Value] = {}
    for index, instance in enumerate(("one", "two")):
        series |= replica(exporter(5) | shard(index), instance)
        for number in range(5):
            page = dark(HOUR) if index == 0 and number < bad else healthy()
            series |= replica(page, instance, f"{instance}{number}")
    return series


def test_the_share_is_that_of_all_shards() -> None:
    scraped(sharded(2), {HOUR + 12: [MANY]}, about=TENANTS)
    single = alert("KimonoTenantUnreachable", "warning", tenant_id="one0", **NAMES)
    scraped(sharded(1), {HOUR + 60: [single]}, about=TENANTS)


def test_an_outage_of_five_minutes_is_no_alert_although_slow_collectors_notice_late_that_it_is_over() -> None:
    series = fleet(0, 3)
    for number in range(3):
        failed = old("rollovers", HOUR, "network", HOUR + 20)
        series |= replica(failed, tenant_id=f"t{number}")
    scraped(series, {minute: [] for minute in range(HOUR, 2 * HOUR, TICK)}, about=TENANTS)


def test_when_the_whole_api_is_down_what_is_known_of_tenants_raises_nothing() -> None:
    series = fleet(2, 0)
    for number in range(2):
        series |= replica(mode("mass_change_pending") | dark(BEGUN + TICK), tenant_id=f"t{number}")
    scraped(series, {BEGUN + HOUR + 24: [MANY], 4 * HOUR: [MANY]})


# Data age


def gaps() -> Mapping[str, range]:
    return {"a missed scrape": range(3 * HOUR, 3 * HOUR + 1), "a restart": range(3 * HOUR, 3 * HOUR + 9)}


@pytest.mark.parametrize("gap", gaps().values(), ids=gaps())
def test_an_alert_does_not_go_and_come_again_with_a_gap(gap: range) -> None:
    page = without(mode("mass_change_pending"), [gap])
    expected = {3 * HOUR + minute: [PENDING] for minute in (-1, 0, 1, 4, 8, 9, 10, 20)}
    check(page, expected, step=1, about=("KimonoMassChangePending",))


def test_what_was_wrong_is_known_at_once_after_an_outage_of_hours() -> None:
    page = without(mode("mass_change_pending"), [range(3 * HOUR, 6 * HOUR)])
    check(page, {6 * HOUR - TICK: [], 6 * HOUR: [PENDING]}, about=("KimonoMassChangePending",))


def test_a_replica_that_polls_rarely_and_succeeds_keeps_a_tenant_reachable() -> None:
    """The other one has failed for hours; the last success is up to a quarter of an hour ago."""
    slow = healthy() | {polled("rollovers"): lambda minute: minute // 15 * 15 * 60}
    failing_one = healthy() | old("rollovers", HOUR)
    series = replica(exporter() | slow, "one") | replica(exporter() | failing_one, "two")
    scraped(series, {3 * HOUR + minute: [] for minute in range(0, 18, 3)}, step=3, about=TENANTS)
