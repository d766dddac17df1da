"""Tests which name a tenant has in alerts if the API, or one of two replicas, has none for it or another one."""

from __future__ import annotations

import pytest

from tests.alerts.pages import MISSED, NO_NAME, OTHER_NAME, OVERDUE, RENAMED, REPORTED, missed, renamed
from tests.alerts.stories import (
    HOUR,
    NAME,
    TICK,
    Alert,
    Page,
    alert,
    always,
    check,
    exporter,
    never,
    queried,
    replica,
    scraped,
    steps,
    worded,
)
from tests.support.rules import NAMES

ABOUT = ("KimonoSyncOverdue",)
OVERDUE_RENAMED = alert("KimonoSyncOverdue", "critical", tenant_id="t1", **RENAMED)
BY_ID = alert("KimonoSyncOverdue", "critical", tenant_id="t1", **(NAMES | {"tenant_name": "t1"}))
BY_ID_ALONE = alert("KimonoSyncOverdue", "critical", tenant_id="t1", tenant_name="t1")
AT = MISSED + HOUR


def told(expected: Alert, *replicas: Page) -> None:
    """A tenant that is overdue raises this alert alone, if the replicas name it so."""
    series = {}
    for number, names in enumerate(replicas):
        page = {**exporter(), **missed(), NAME: never, **names}
        series |= replica(page, f"replica-{number}")
    scraped(series, {AT: [expected]}, about=ABOUT)


def test_a_tenant_goes_by_its_name() -> None:
    told(OVERDUE, {NAME: always(1)})


def test_a_tenant_without_a_name_goes_by_its_id() -> None:
    told(BY_ID, {NO_NAME: always(1)})


def test_a_tenant_without_any_names_raises_its_alerts() -> None:
    told(BY_ID_ALONE, {"kimono_tenant_info": always(1)})


def test_tenants_without_a_name_can_be_told_apart() -> None:
    page = {**exporter(), **missed(), NAME: never, NO_NAME: always(1)}
    both = [
        alert("KimonoSyncOverdue", "critical", **(NAMES | {"tenant_id": one, "tenant_name": one}))
        for one in ("t1", "t2")
    ]
    scraped(replica(page, tenant_id="t1") | replica(page, tenant_id="t2"), {AT: both}, about=ABOUT)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_replicas_the_one_that_knows_a_name_gives_it(order: tuple[int, int]) -> None:
    names = [{NAME: always(1)}, {NO_NAME: always(1)}]
    told(OVERDUE, *(names[at] for at in order))


def test_replicas_that_give_different_names_raise_one_alert() -> None:
    told(BY_ID_ALONE, {NAME: always(1)}, {OTHER_NAME: always(1)})
    told(BY_ID, {NO_NAME: always(1)}, {NO_NAME: always(1)})
    other_account = NO_NAME.replace("Maple Ridge", "Maple Hills")
    told(BY_ID_ALONE, {NO_NAME: always(1)}, {other_account: always(1), "kimono_tenant_info": never})


def test_a_name_under_which_trouble_was_reported_comes_before_the_present_one() -> None:
    told(OVERDUE, {OTHER_NAME: always(1), REPORTED: always(1)})
    told(OVERDUE, {OTHER_NAME: always(1), REPORTED: always(1)}, {NAME: always(1)})
    told(OVERDUE, {OTHER_NAME: always(1), REPORTED: always(1)}, {OTHER_NAME: always(1)})


def test_replicas_that_reported_trouble_under_different_names_leave_it_to_the_present_one() -> None:
    other = REPORTED.replace("Maple LMS", "Maple Old")
    told(OVERDUE_RENAMED, {OTHER_NAME: always(1), REPORTED: always(1)}, {OTHER_NAME: always(1), other: always(1)})


def test_a_tenant_that_was_renamed_in_trouble_is_still_in_its_cloud() -> None:
    series = replica({**exporter(), **missed(), NAME: never, OTHER_NAME: always(1), REPORTED: always(1)}, "one")
    asked = 'count(kimono:tenant_problem:timestamp_seconds{problem="overdue",cloud_name="us-1"})'
    queried(series, AT, {asked: [("{}", 1)]}, ABOUT)


def test_trouble_that_was_reported_under_the_id_is_so_until_it_is_over() -> None:
    nameless = REPORTED.replace("Maple LMS", "")
    told(BY_ID, {OTHER_NAME: always(1), nameless: always(1)})


def test_a_tenant_that_is_renamed_in_trouble_keeps_its_alert() -> None:
    page = renamed(MISSED + 30, missed())
    expected = {MISSED + minute: [OVERDUE] for minute in (24, 28, 30, 32, 36, 60)}
    check(page, expected, step=2, about=ABOUT)


def test_with_the_contracts_metrics_alone_a_renamed_tenant_has_two_alerts_for_a_quarter_of_an_hour() -> None:
    at = MISSED + 30
    page = renamed(at, missed(), reported=False)
    both = [OVERDUE, OVERDUE_RENAMED]
    check(page, {at - TICK: [OVERDUE], at + TICK: both, at + 18: [OVERDUE_RENAMED]}, about=ABOUT)


def test_a_tenant_that_goes_by_its_id_is_overdue_since_the_same_time() -> None:
    one, two = {**exporter(), **missed()}, {**exporter(), **missed(), NAME: never, OTHER_NAME: always(1)}
    said = (
        "A schedule of t1 (no account, no product) was due 3h 0m 0s ago and has not run. Its schools work "
        "with data of the day before."
    )
    worded(replica(one, "one") | replica(two, "two"), AT, {BY_ID_ALONE: said})


def test_replicas_that_learn_of_the_new_name_one_after_the_other_raise_one_alert() -> None:
    at = MISSED + 30
    one, two = renamed(at, exporter() | missed()), renamed(at + 6, exporter() | missed())
    expected = {minute: [OVERDUE] for minute in range(at - 4, at + 20, 4)}
    scraped(replica(one, "one") | replica(two, "two"), expected, step=2, about=ABOUT)


def test_the_alerts_of_one_tenant_go_on_if_two_replicas_disagree_about_another() -> None:
    one, two = {**exporter(), **missed()}, {**exporter(), **missed(), NAME: never, OTHER_NAME: always(1)}
    series = replica(one, "one") | replica(two, "two")
    series |= replica(missed(), "one", "t2") | replica(missed(), "two", "t2")
    second = alert("KimonoSyncOverdue", "critical", tenant_id="t2", **NAMES)
    scraped(series, {AT: [BY_ID_ALONE, second]}, about=ABOUT)


def test_a_tenant_whose_name_is_away_for_some_minutes_does_not_lose_its_alert() -> None:
    page = missed() | {NAME: steps((-9999, 1), (MISSED + 30, None), (MISSED + 36, 1))}
    check(page, {MISSED + minute: [OVERDUE] for minute in (28, 30, 32, 36, 50)}, step=2, about=ABOUT)
