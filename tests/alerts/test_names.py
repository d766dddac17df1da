"""Tests which name a tenant has in alerts if the API, or one of two replicas, has none for it."""

from __future__ import annotations

import pytest

from tests.alerts.pages import BEGUN, MODE, OTHER_NAME, RENAMED, mode, row
from tests.alerts.stories import HOUR, NAME, Page, always, exporter, healthy, recorded, replica, steps, without
from tests.support.rules import NAMES, PROBLEM, RANK

INFO = "kimono:tenant:info"
NO_NAME = NAME.replace("Maple LMS", "")
BY_ID = NAMES | {"tenant_name": "t1"}
# Minutes between evaluations. Rules remember for five, as Prometheus looks back no further.
STEP = 2


def called(**names: Page) -> Page:
    """A healthy tenant to which each replica gives the names that are said here."""
    pages = {instance: {**exporter(), **healthy(), NAME: lambda _: None, **said} for instance, said in names.items()}
    return {series: value for instance, page in pages.items() for series, value in replica(page, instance).items()}


def from_on(minute: int, before: str, after: str) -> Page:
    """One name until a minute, another from then on."""
    return {before: steps((0, 1), (minute, None)), after: steps((minute, 1))}


def test_tenants_without_a_name_go_by_their_ids_and_can_be_told_apart() -> None:
    page = {**exporter(), **mode("mass_change_pending"), NAME: lambda _: None, NO_NAME: always(1)}
    series = replica(page, tenant_id="t1") | replica(page, tenant_id="t2")
    at, since, problem, flag = 3 * HOUR, BEGUN * 60, "mass_change", "mass_change_pending"

    def both(value: float, **labels: str) -> dict[str, float]:
        return {
            key: one
            for tenant_id in ("t1", "t2")
            for key, one in row(value, NAMES | {"tenant_name": tenant_id}, tenant_id, **labels).items()
        }

    recorded(series, INFO, {at: both(1)})
    recorded(series, PROBLEM, {at: both(since, problem=problem)})
    recorded(series, RANK, {at: both(2, problem=problem)})
    recorded(series, MODE, {at: both(since, flag=flag)})


def test_a_tenant_of_which_nothing_is_told_but_that_it_is_there_goes_by_its_id_alone() -> None:
    recorded(called(one={}), INFO, {0: row(1, {"tenant_name": "t1"}), HOUR: row(1, {"tenant_name": "t1"})}, STEP)


def test_a_tenant_that_gets_a_name_goes_by_it_at_once() -> None:
    series = called(one=from_on(HOUR, NO_NAME, NAME))
    expected = {HOUR - STEP: row(1, BY_ID), HOUR: row(1), HOUR + STEP: row(1), 2 * HOUR: row(1)}
    recorded(series, INFO, expected, STEP)


def test_a_tenant_that_gets_a_name_goes_by_it_though_one_of_two_replicas_learns_it_later() -> None:
    series = called(one=from_on(HOUR, NO_NAME, NAME), two=from_on(HOUR + 20, NO_NAME, NAME))
    expected = {minute: row(1) for minute in range(HOUR, HOUR + 40, STEP)}
    recorded(series, INFO, {HOUR - STEP: row(1, BY_ID)} | expected, STEP)


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_of_two_replicas_the_one_that_knows_a_name_gives_it(order: tuple[str, str]) -> None:
    series = called(**dict(zip(order, ({NO_NAME: always(1)}, {NAME: always(1)}), strict=True)))
    recorded(series, INFO, {minute: row(1) for minute in (0, STEP, HOUR)}, STEP)


def test_a_tenant_that_loses_its_name_keeps_it_while_one_of_two_replicas_knows_it() -> None:
    series = called(one=from_on(HOUR, NAME, NO_NAME), two=from_on(2 * HOUR, NAME, NO_NAME))
    expected = {HOUR: row(1), HOUR + 30: row(1), 2 * HOUR + 6: row(1, BY_ID), 3 * HOUR: row(1, BY_ID)}
    recorded(series, INFO, expected, STEP)


def test_a_tenant_that_has_a_name_and_gets_another_is_not_called_by_its_id_in_between() -> None:
    series = called(one=from_on(HOUR, NAME, OTHER_NAME), two=from_on(HOUR + 20, NAME, OTHER_NAME))
    old, new = row(1), row(1, RENAMED)
    expected = dict.fromkeys(range(HOUR - STEP, HOUR + 20, STEP), old)
    recorded(series, INFO, expected | {HOUR + 26: new, 2 * HOUR: new}, STEP)


def test_a_tenant_to_which_two_replicas_give_different_first_names_goes_by_its_id_until_they_agree() -> None:
    second = {**from_on(HOUR, NO_NAME, OTHER_NAME), OTHER_NAME: steps((HOUR, 1), (HOUR + 20, None))}
    series = called(one=from_on(HOUR, NO_NAME, NAME), two=second | {NAME: steps((HOUR + 20, 1))})
    by_id = row(1, BY_ID)
    recorded(series, INFO, {HOUR - STEP: by_id, HOUR: by_id, HOUR + 18: by_id, HOUR + 26: row(1)}, STEP)


@pytest.mark.parametrize(("name", "names"), [(NAME, NAMES), (NO_NAME, BY_ID)])
def test_a_tenant_whose_names_are_away_for_some_minutes_does_not_change_its_own(
    name: str, names: dict[str, str]
) -> None:
    away = steps((0, 1), (HOUR, None), (HOUR + 20, 1))
    expected = {minute: row(1, names) for minute in range(HOUR - STEP, HOUR + 30, STEP)}
    recorded(called(one={name: away}), INFO, expected, STEP)


@pytest.mark.parametrize(("name", "names"), [(NAME, NAMES), (NO_NAME, BY_ID)])
def test_a_tenant_is_called_the_same_after_a_restart_of_the_exporter_and_is_not_remembered_when_it_is_gone(
    name: str, names: dict[str, str]
) -> None:
    gaps = [range(HOUR, HOUR + 20), range(2 * HOUR, 4 * HOUR)]
    series = without(called(one={name: always(1)}), gaps)
    known = row(1, names)
    recorded(series, INFO, {HOUR - STEP: known, HOUR + 18: {}, HOUR + 20: known, 3 * HOUR: {}}, STEP)
