"""Tests that many tenants with one problem raise one alert, about what is at fault, and no alerts of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import pytest

from tests.alerts.pages import FAILING_SINCE, SEEN, STARTED, failed, missed, running
from tests.alerts.stories import (
    ACTIVE_SINCE,
    DAY,
    DUE,
    HOUR,
    LAST_DUE,
    LAST_EXECUTED,
    LAST_FAILURE,
    LAST_RUN,
    LAST_SUCCESS,
    MISSED_SINCE,
    NAME,
    NEXT_DUE,
    TICK,
    Alert,
    Page,
    Value,
    alert,
    always,
    exporter,
    healthy,
    never,
    queried,
    replica,
    scraped,
)
from tests.support.rules import NAMES

FLEET = {
    "overdue": "KimonoFleetSyncsOverdue",
    "stalled": "KimonoFleetIngestionsStalled",
    "failing": "KimonoFleetIngestionsFailing",
}
SINGLE = {
    "overdue": ("KimonoSyncOverdue", "critical"),
    "stalled": ("KimonoIngestionStalled", "critical"),
    "failing": ("KimonoIngestionsFailing", "warning"),
}
# The minute from which on each problem alerts, if it began with the run at six.
LONG_ILL = -6 * DAY
FROM = {"overdue": DUE + 2 * HOUR, "stalled": DUE + 6 * HOUR, "failing": DUE + HOUR}
INTEGRATIONS = ("canopy-lms", "wayfare", "brightpath", "quill")
DAILY = (
    *(LAST_DUE, NEXT_DUE, LAST_EXECUTED, LAST_RUN, LAST_SUCCESS, LAST_FAILURE),
    *(MISSED_SINCE, FAILING_SINCE, STARTED, SEEN),
)
CLOUDS = ("us-1", "us-2", "eu-1")


@dataclass(frozen=True)
class Tenant:
    """One of a fleet; `hour` is that of its daily run."""

    number: int
    integration: str
    cloud: str
    hour: int

    @property
    def id(self) -> str:
        return f"t{self.number}"


def tenants(count: int = 24, hours: Iterable[int] = (6,)) -> list[Tenant]:
    """A fleet with all integrations in all clouds, and runs at these hours."""
    each = [*hours]
    return [
        Tenant(number, INTEGRATIONS[number % 4], CLOUDS[number // 4 % 3], each[number % len(each)])
        for number in range(count)
    ]


def names(one: Tenant) -> str:
    return NAME.replace("canopy-lms", one.integration).replace("us-1", one.cloud)


def moved(page: Page, one: Tenant) -> dict[str, Value]:
    """The page of a tenant under its name, with all that happens each day at its hour."""
    by = one.hour * HOUR - DUE
    own = {name: partial(_later, value, by) if name in DAILY else value for name, value in page.items() if name != NAME}
    return {**own, names(one): always(1)}


def _later(value: Value, by: int, minute: int) -> float | None:
    found = value(minute - by)
    return None if found is None else found + by * 60


def ill(problem: str) -> Page:
    """A page with the problem, from the run of the first day on."""
    if problem == "overdue":
        return missed()
    if problem == "stalled":
        yesterday = {LAST_SUCCESS: always((DUE - DAY) * 60), LAST_RUN: always(DUE * 60)}
        return healthy() | yesterday | running(DUE + 5)
    return failed(DUE)


def fleet(all_of_them: Iterable[Tenant], problem: str, affected: Callable[[Tenant], bool]) -> dict[str, Value]:
    several = [*all_of_them]
    series = replica(exporter(len(several)))
    for one in several:
        page = ill(problem) if affected(one) else healthy()
        series |= replica(moved(page, one), tenant_id=one.id)
    return series


def single(problem: str, one: Tenant) -> Alert:
    labels = {**NAMES, "integration": one.integration, "tenant_id": one.id}
    return alert(*SINGLE[problem], **labels)


def whole(problem: str, **labels: str) -> Alert:
    return alert(FLEET[problem], "critical", job="kimono", **labels)


def check(problem: str, series: Page, expected: dict[int, list[Alert]], history: int = 30) -> None:
    scraped(series, expected, about=(FLEET[problem], SINGLE[problem][0]), history=history)


PROBLEMS = pytest.mark.parametrize("problem", FLEET)


@PROBLEMS
def test_if_the_hub_is_at_fault_one_alert_fires_from_the_first_minute_on(problem: str) -> None:
    begin = FROM[problem]
    series = fleet(tenants(), problem, lambda _: True)
    expected = {begin: [], begin + TICK: [whole(problem)], begin + 5 * HOUR: [whole(problem)]}
    check(problem, series, expected)


@PROBLEMS
def test_half_of_a_hub_is_the_hub(problem: str) -> None:
    """Every second tenant of each integration and cloud."""
    series = fleet(tenants(48), problem, lambda one: one.number // 12 % 2 == 0)
    check(problem, series, {FROM[problem] + TICK: [whole(problem)]})


@PROBLEMS
def test_tenants_that_happen_to_have_the_same_problem_within_some_hours_are_not_the_hub(problem: str) -> None:
    """Six hours apart, few others ran, and fewer than five are in the middle half."""
    affected = tenants(6, hours=(0, 2, 3, 4, 5, 6))
    others = [replace(one, number=one.number + 6) for one in tenants(20, hours=(12, 13, 3))]
    series = fleet([*affected, *others], problem, lambda one: one.number < 6)
    check(problem, series, {FROM[problem] + TICK: [single(problem, one) for one in affected]})


@PROBLEMS
def test_if_an_integration_is_at_fault_the_alert_names_it(problem: str) -> None:
    at = FROM[problem] + TICK
    check(
        problem,
        fleet(tenants(), problem, lambda one: one.integration == "quill"),
        {at: [whole(problem, integration="quill")]},
    )


@PROBLEMS
def test_two_integrations_at_fault_are_not_the_hub_though_half_of_the_tenants_are_theirs(problem: str) -> None:
    two = ("quill", "wayfare")
    series = fleet(tenants(), problem, lambda one: one.integration in two)
    check(problem, series, {FROM[problem] + TICK: [whole(problem, integration=name) for name in two]})


@PROBLEMS
def test_if_a_cloud_is_at_fault_the_alert_names_it(problem: str) -> None:
    at = FROM[problem] + TICK
    check(
        problem, fleet(tenants(), problem, lambda one: one.cloud == "eu-1"), {at: [whole(problem, cloud_name="eu-1")]}
    )


@PROBLEMS
def test_the_tenants_of_others_still_alert(problem: str) -> None:
    fleet_of_them = tenants()
    other = fleet_of_them[0]
    series = fleet(fleet_of_them, problem, lambda one: one.integration == "quill" or one is other)
    check(problem, series, {FROM[problem] + TICK: [whole(problem, integration="quill"), single(problem, other)]})


@PROBLEMS
def test_a_few_tenants_are_not_the_fleet(problem: str) -> None:
    few = tenants()[:4]
    series = fleet(tenants(), problem, lambda one: one in few)
    check(problem, series, {FROM[problem] + TICK: [single(problem, one) for one in few]})


@PROBLEMS
def test_five_of_many_are_not_the_fleet(problem: str) -> None:
    """One of each integration and cloud, or so."""
    five = [one for one in tenants(72) if one.number in (0, 17, 34, 51, 68)]
    series = fleet(tenants(72), problem, lambda one: one in five)
    check(problem, series, {FROM[problem] + TICK: [single(problem, one) for one in five]})


@PROBLEMS
def test_tenants_that_ran_at_other_hours_are_no_comparison(problem: str) -> None:
    """The hub fails from five to seven, and works again: at noon still it is one alert."""
    several = tenants(72, hours=(1, 2, 6, 8, 9, 10))
    series = fleet(several, problem, lambda one: one.hour == 6)
    check(
        problem,
        series,
        {FROM[problem] + TICK: [whole(problem)], 18 * HOUR: [whole(problem)], 2 * DAY: [whole(problem)]},
    )


@PROBLEMS
def test_tenants_that_have_been_ill_for_days_do_not_hide_an_outage(problem: str) -> None:
    several = tenants(36)
    old = several[:4]
    series = fleet(several, problem, lambda one: one not in old)
    for one in old:
        page = moved(ill(problem), one)
        aged = {name: always(LONG_ILL * 60) for name in page.keys() & {MISSED_SINCE, FAILING_SINCE, STARTED, SEEN}}
        series |= replica(page | aged | {LAST_SUCCESS: never}, tenant_id=one.id)
    check(problem, series, {FROM[problem] + 24: [whole(problem)]})


@PROBLEMS
def test_when_it_is_over_the_alert_ends_an_hour_later_and_those_still_ill_alert(problem: str) -> None:
    """All but two get well."""
    several, end = tenants(), FROM[problem] + 2 * HOUR
    rest = several[:2]
    series: dict[str, Value] = replica(exporter(len(several)))
    for one in several:
        page = moved(ill(problem), one)
        if one not in rest:
            well = moved(healthy(), one)
            page = {
                name: lambda minute, name=name, page=page, well=well: (page if minute < end else well).get(name, never)(
                    minute
                )
                for name in page.keys() | well.keys()
            }
        series |= replica(page, tenant_id=one.id)
    expected = {
        end - TICK: [whole(problem)],
        end + 54: [whole(problem)],
        end + HOUR + TICK: [single(problem, one) for one in rest],
    }
    check(problem, series, expected, history=2 * HOUR)


@PROBLEMS
def test_paused_tenants_are_no_comparison(problem: str) -> None:
    """In summer most are paused: their schedules are not active, and nothing starts."""
    several = tenants(48)
    series = fleet(several, problem, lambda one: one.number < 8)
    for one in several[8:]:
        asleep: dict[str, Value] = {ACTIVE_SINCE: never, LAST_SUCCESS: never}
        series |= replica(asleep, tenant_id=one.id)
    check(problem, series, {FROM[problem] + TICK: [whole(problem)]})


@PROBLEMS
def test_two_replicas_count_each_tenant_once(problem: str) -> None:
    four = tenants()[:4]
    one = fleet(tenants(), problem, lambda each: each in four)
    two = {name.replace('instance="one"', 'instance="two"'): value for name, value in one.items()}
    check(problem, one | two, {FROM[problem] + TICK: [single(problem, each) for each in four]})


def test_another_job_is_another_fleet() -> None:
    here = fleet(tenants(), "overdue", lambda _: True)
    four = tenants()[:4]
    there = fleet(four, "overdue", lambda _: True)
    elsewhere = {name.replace('job="kimono"', 'job="elsewhere"'): value for name, value in there.items()}
    singles = [frozenset({**dict(single("overdue", one)), "job": "elsewhere"}.items()) for one in four]
    check("overdue", here | elsewhere, {FROM["overdue"] + TICK: [whole("overdue"), *singles]})


def test_a_cloud_with_another_share_than_the_others_is_found_among_other_trouble() -> None:
    """Three tenants elsewhere are overdue for reasons of their own."""
    several = tenants(72)
    others = [one for one in several if one.cloud != "eu-1"][:3]
    series = fleet(several, "overdue", lambda one: one.cloud == "eu-1" or one in others)
    expected = [whole("overdue", cloud_name="eu-1"), *(single("overdue", one) for one in others)]
    check("overdue", series, {FROM["overdue"] + TICK: expected})


@PROBLEMS
def test_two_exporters_of_the_same_name_and_replicas_that_disagree_do_not_break_the_rules(problem: str) -> None:
    """They differ in a label that the scrape configuration adds. One knows an integration by its old name."""
    series: dict[str, Value] = {}
    for cluster in ("east", "west"):
        for name, value in fleet(tenants(), problem, lambda _: True).items():
            old = name.replace("quill", "quill-old") if cluster == "east" and 'cloud_name="us-1"' in name else name
            series[f'{old[:-1]},cluster="{cluster}"}}'] = value
    expected = {FROM[problem] + TICK: [("{}", 1.0)]}
    for minute, found in expected.items():
        asked = f'count(ALERTS{{alertname="{FLEET[problem]}",alertstate="firing",integration="",cloud_name=""}})'
        watched = "sum(kimono:tenants:count)"
        # The two tenants of the integration that has two names count twice.
        queried(series, minute, {asked: found, watched: [("{}", 26.0)]}, (FLEET[problem], SINGLE[problem][0]))
