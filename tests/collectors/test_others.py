"""Tests the collectors without a history: samples of what the API returned, and no others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exporter.api.errors import ForbiddenError, NotFoundError
from exporter.collectors import Collector
from exporter.collectors.account import ACTORS, CLOUDS, VERSION, AccountCollector
from exporter.collectors.application import AUTH_STATE, DELIVER, VALIDATE, ApplicationCollector
from exporter.collectors.rollovers import END, FAILURE, FAILURES, INFO, START, STATUS, RolloversCollector
from exporter.collectors.scoping import COURSES, SCHOOLS, ScopingCollector
from exporter.collectors.state import STATE, StateCollector
from exporter.history import History
from exporter.metrics import Sample
from exporter.store import FLEET
from tests.collectors.polls import Polls
from tests.support.replies import Replies, table
from tests.support.virtual_time import START as NOW


def polled(collector: Collector, answers: dict[str, Any]) -> Polls:
    polls = Polls(collector)
    polls.poll({path: {"data": data} for path, data in answers.items()})
    return polls


def state(**flags: Any) -> Any:
    return polled(StateCollector(), {"/tenant/state": flags}).series(STATE)


def test_every_boolean_of_the_state_is_a_flag_and_nothing_else_is() -> None:
    assert state(synchronization_suspended=True, new_mode=False, since="2026", level=1, more={"a": True}) == {
        ("synchronization_suspended",): 1,
        ("new_mode",): 0,
    }


def test_flags_of_odd_names_are_shown() -> None:
    names = {"read-only": True, "2fa_required": False, "größe": True, "is it on?": False}
    assert state(**names) == {(name,): float(on) for name, on in names.items()}


def test_a_null_or_missing_flag_has_no_sample() -> None:
    assert state(mass_change_pending=None) == {}


def application(**members: Any) -> Polls:
    return polled(ApplicationCollector(), {"/tenant/application": members})


def test_an_application_shows_its_state_and_switches() -> None:
    polls = application(auth_type="oauth2", auth_state="confirmed", deliver_tasks=True, validate_tasks=False)
    assert polls.series(AUTH_STATE) == {("oauth2", "confirmed"): 1}
    assert (polls.series(DELIVER), polls.series(VALIDATE)) == ({(): 1}, {(): 0})


def test_an_application_without_a_state_has_no_series_for_it() -> None:
    polls = application(auth_type="oauth2", auth_state=None, deliver_tasks=None)
    assert [polls.series(family) for family in (AUTH_STATE, DELIVER, VALIDATE)] == [{}, {}, {}]


def test_an_application_with_a_state_and_no_type_has_an_empty_label() -> None:
    assert application(auth_state="brand_new").series(AUTH_STATE) == {("", "brand_new"): 1}


def rollovers(*members: dict[str, Any]) -> Polls:
    return polled(RolloversCollector(), {"/tenant/rollovers": [None, *members]})


SUMMER = {
    "id": "r",
    "name": "Summer",
    "type": "new_year",
    "status": "ongoing",
    "start_date": "2026-09-01T00:00:00.000Z",
    "end_date": "2026-09-01T00:01:00.000Z",
    "status_change_failure_count": 2,
    "failure_reason": "alreadyInRolloverMode",
}  # fmt: skip - a reply reads best in few lines


def test_a_rollover_shows_what_it_says() -> None:
    polls = rollovers(SUMMER)
    assert polls.series(INFO) == {("r", "Summer", "new_year"): 1}
    assert polls.series(STATUS) == {("r", "ongoing"): 1}
    assert polls.series(START) == {("r",): NOW}
    assert polls.series(END) == {("r",): NOW + 60}
    assert polls.series(FAILURES) == {("r",): 2}
    assert polls.series(FAILURE) == {("alreadyInRolloverMode", "r"): 1}


def test_what_a_rollover_does_not_say_has_no_sample() -> None:
    polls = rollovers({"id": "r", "failure_reason": "", "status": None, "start_date": "soon"})
    assert polls.series(INFO) == {("r", "", ""): 1}
    for family in (STATUS, START, END, FAILURES, FAILURE):
        assert polls.series(family) == {}


def test_a_rollover_that_has_never_failed_shows_that() -> None:
    assert rollovers(SUMMER | {"status_change_failure_count": 0}).series(FAILURES) == {("r",): 0}


def test_rollovers_without_ids_go_by_name_or_type_and_start_in_any_order() -> None:
    named, typed, bare = SUMMER | {"id": None}, {"type": "new_year"}, {"status": "upcoming"}
    forth, back = rollovers(named, typed, bare), rollovers(bare, typed, named)
    assert {key[0] for key in forth.series(INFO)} == {"Summer@2026-09-01T00:00:00+00:00", "new_year@", "@"}
    assert forth.series(INFO) == back.series(INFO)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("9999-12-31T23:59:59-12:00", None),
        ("9999-12-31T23:59:59Z", 253_402_300_799.0),
        ("9999-12-31T23:59:60Z", None),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_800.0 - 2**-15),  # rounded, it would be the year 10000
        ("0001-01-01T00:00:00+14:00", None),
        ("1970-01-01T00:00:00+00:01", None),
        ("1970-01-01T00:00:00-00:01", 60.0),
        ("2016-12-31T23:59:60Z", 1_483_228_800.0),
    ],
)
@pytest.mark.parametrize("ident", ["r", None])
def test_a_time_at_the_edge_is_read_or_has_no_sample(text: str, start: float | None, ident: str | None) -> None:
    polls = rollovers({"id": ident, "name": "x", "start_date": text, "end_date": text})
    expected = [] if start is None else [start]
    assert list(polls.series(START).values()) == list(polls.series(END).values()) == expected
    assert len(polls.series(INFO)) == 1


def test_a_rollover_listed_twice_has_one_status() -> None:
    assert rollovers(SUMMER, SUMMER | {"status": "completed"}).series(STATUS) == {("r", "completed"): 1}


def test_schools_and_courses_are_counted_by_selection_and_the_undecided_in_neither() -> None:
    schools = [{"school_id": str(number), "selected": on} for number, on in enumerate((True, True, False, None))]
    polls = polled(
        ScopingCollector(), {"/tenant/scoping/schools": schools, "/tenant/scoping/courses": [None, {"selected": True}]}
    )
    assert polls.series(SCHOOLS) == {("true",): 2, ("false",): 1}
    assert polls.series(COURSES) == {("true",): 1, ("false",): 0}


@pytest.mark.parametrize(("status", "error"), [(403, ForbiddenError), (404, NotFoundError)])
@pytest.mark.parametrize("kind", [ApplicationCollector, ScopingCollector])
def test_who_has_no_application_or_scoping_is_let_off(
    kind: type[Collector], status: int, error: type[Exception]
) -> None:
    assert kind.may_be_absent
    refusals = dict.fromkeys(("/tenant/application", "/tenant/scoping/schools", "/tenant/scoping/courses"), status)
    with pytest.raises(error):
        Polls(kind()).poll(refusals)


def test_a_half_of_the_scoping_fails_the_whole() -> None:
    with pytest.raises(ForbiddenError):
        Polls(ScopingCollector()).poll({"/tenant/scoping/schools": {"data": []}, "/tenant/scoping/courses": 403})


def account(**answers: Any) -> list[Sample]:
    """The samples of the account collector; endpoints that are not given have empty lists."""
    lists = {path: {"data": answers.get(path, [])} for path in ("actors", "clouds", "integrations")}
    lists |= {path: {"data": data} for path, data in answers.items() if "/" in path}
    replies = Replies(table({f"/{path}": answer for path, answer in lists.items()}))
    facts = asyncio.run(AccountCollector().fetch(replies.api(), History()))
    return list(AccountCollector().result(FLEET, History(), facts, NOW).samples)


def test_an_account_that_sees_nothing_has_no_clouds_and_no_other_series() -> None:
    assert account() == [CLOUDS(0)]


def test_actors_count_by_type_new_ones_and_those_without_a_type_too() -> None:
    samples = account(
        actors=[None, {"id": "1", "type": "connector"}, {"id": "2", "type": "connector"}, {"type": "agency"}, {}]
    )
    assert samples == [
        ACTORS(2, actor_type="connector"),
        ACTORS(1, actor_type="agency"),
        ACTORS(1, actor_type=""),
        CLOUDS(0),
    ]


def test_versions_are_asked_for_by_id_and_those_of_an_integration_without_one_are_its_own() -> None:
    samples = account(
        integrations=[{"id": "i", "name": "reader"}, {"name": "writer", "version": "2"}, {"name": "silent"}],
        **{"integrations/i/versions": [None, {"version": "1", "release_state": "sunset"}, {"version": None}]},
    )
    assert samples[1:] == [
        VERSION(1, integration="reader", version="1", release_state="sunset"),
        VERSION(1, integration="reader", version="", release_state=""),
        VERSION(1, integration="writer", version="2", release_state=""),
    ]
