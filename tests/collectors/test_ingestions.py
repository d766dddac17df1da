"""Tests that each end of an ingestion is counted once, by servers that list finished ones or don't."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.api.errors import AuthError, ServerError
from exporter.api.models import FINAL_STATES
from exporter.collectors.collector import FleetChange
from exporter.collectors.ingestions import BUCKETS, DURATION, INGESTIONS, LOST, PENDING, IngestionsCollector
from exporter.history.ingestions import FINISHED, LAST_STARTED
from exporter.history.unfinished import OLDEST_STARTED as OLDEST_UNFINISHED
from exporter.totals import Totals
from tests.collectors.polls import Polls
from tests.support.virtual_time import START

POLL = 60.0


def ingestion(
    ident: str | None, state: str | None = "executing", began: float | None = START - 600, **more: Any
) -> Any:
    """An ingestion as the API returns it; `began` in Unix seconds."""
    started = None if began is None else datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds")
    return {"id": ident, "type": "collection", "state": state, "started_at": started, "has_pending_task": False} | more


def listing(*ingestions: Any, **by_id: Any) -> dict[str, Any]:
    """An API with this list, and these ingestions (or statuses) by id."""
    answers = {"/ingestions": {"data": [None, *ingestions]}}
    return answers | {
        f"/ingestions/{ident}": value if isinstance(value, int) else {"data": value} for ident, value in by_id.items()
    }


def polls(*answered: dict[str, Any]) -> Polls:
    """A tenant after these polls, a minute apart."""
    polled = Polls(IngestionsCollector())
    for number, answers in enumerate(answered):
        polled.poll(answers, START + number * POLL)
    return polled


def ends(polled: Polls) -> dict[tuple[str, ...], float]:
    """The counted ends, without zeros."""
    return {kind: count for kind, count in polled.series(FINISHED).items() if count}


def lasted(polled: Polls) -> dict[tuple[str, ...], tuple[float, float]]:
    """The number and the sum of the fleet's durations by type and state, without zeros."""
    shown = polled.fleet(DURATION)
    kinds = {key[:-1]: (shown[(*key[:-1], "_count")], shown[(*key[:-1], "_sum")]) for key in shown}
    return {kind: figures for kind, figures in kinds.items() if figures != (0, 0)}


def test_one_that_left_the_list_is_asked_for_by_its_id_and_counted() -> None:
    polled = polls(listing(ingestion("a")), listing(a=ingestion("a", "success")))
    assert polled.asked == ["/ingestions", "/ingestions/a"]
    assert ends(polled) == {("collection", "success"): 1}
    assert lasted(polled) == {("collection", "success"): (1, 660.0)}
    assert polled.changed


def test_an_end_is_asked_for_and_counted_once() -> None:
    gone = listing(a=ingestion("a", "failed"))
    polled = polls(listing(ingestion("a")), gone, gone, gone)
    assert polled.asked == ["/ingestions"]
    assert ends(polled) == {("collection", "failed"): 1}
    assert polled.change == FleetChange([], [])


def test_one_that_the_server_lists_as_finished_is_counted_without_asking() -> None:
    done = listing(ingestion("a", "cancelled"))
    polled = polls(listing(ingestion("a")), done, done)
    assert polled.asked == ["/ingestions"]
    assert ends(polled) == {("collection", "cancelled"): 1}


def test_one_that_began_and_ended_between_two_polls_is_counted_where_the_server_lists_it() -> None:
    polled = polls(listing(), listing(ingestion("a", "success", START + 1)))
    assert ends(polled) == {("collection", "success"): 1}


def test_the_first_poll_counts_no_end_and_gives_a_zero_for_each_final_state_of_each_type_seen() -> None:
    polled = polls(listing(ingestion("a", "success"), ingestion("b", type="mirror"), ingestion("c", type=None)))
    assert polled.series(FINISHED) == {
        (kind, state): 0 for kind in ("collection", "mirror", "") for state in FINAL_STATES
    }
    assert polled.fleet(DURATION) == {
        (kind, state, suffix): 0
        for kind in ("collection", "mirror", "")
        for state in FINAL_STATES
        for suffix in ("_count", "_sum")
    }
    assert polled.fleet(LOST) == {(): 0}


@pytest.mark.parametrize("state", FINAL_STATES)
def test_the_first_end_of_a_type_that_was_seen_before_raises_its_durations_from_zero(state: str) -> None:
    polled = polls(listing(ingestion("a")))
    buckets = [
        sample.value
        for sample in polled.totals.samples([DURATION])
        if sample.suffix == "_bucket" and state in sample.values
    ]
    assert buckets == [0] * (len(BUCKETS) + 1)
    assert polled.fleet(DURATION)["collection", state, "_count"] == 0
    polled.poll(listing(a=ingestion("a", state)), START + POLL)
    assert polled.fleet(DURATION)["collection", state, "_count"] == 1
    assert lasted(polled) == {("collection", state): (1, 660.0)}


def test_a_type_that_another_tenant_has_shown_changes_and_loses_nothing() -> None:
    one = polls(listing(ingestion("a")), listing(a=ingestion("a", "success")))
    other = Polls(one.collector, one.totals)
    other.poll(listing(ingestion("a")))
    assert not other.changed
    assert lasted(other) == {("collection", "success"): (1, 660.0)}
    other.poll(listing(ingestion("a"), ingestion("b", type="mirror")))
    assert other.changed
    assert other.fleet(DURATION)["mirror", "timeout", "_count"] == 0


def test_an_unknown_final_state_has_durations_from_its_first_one_on() -> None:
    polled = polls(listing(ingestion("a", "executing", None)), listing(a=ingestion("a", "partially_applied", None)))
    assert {state for _, state, _ in polled.fleet(DURATION)} == set(FINAL_STATES)
    polled.poll(listing(ingestion("b")), START + 2 * POLL)
    polled.poll(listing(b=ingestion("b", "partially_applied")), START + 3 * POLL)
    assert lasted(polled) == {("collection", "partially_applied"): (1, 780.0)}


def test_servers_that_make_up_ever_new_types_do_not_fill_the_page_with_zeros() -> None:
    totals = Totals()
    for tenant in range(3):
        polled = Polls(IngestionsCollector(), totals)
        polled.poll(listing(*(ingestion(f"{number}", type=f"{tenant}-{number}") for number in range(40))))
    assert len(polled.fleet(DURATION)) == 2 * 200
    assert not polled.changed
    polled.poll(listing(**{"39": ingestion("39", "failed", type="2-39")}), START + POLL)
    assert lasted(polled) == {("2-39", "failed"): (1, 660.0)}


def test_zeros_and_counts_stay_when_the_list_is_empty() -> None:
    polled = polls(listing(ingestion("a")), listing(a=ingestion("a", "timeout")), listing())
    assert polled.series(FINISHED) == {("collection", state): float(state == "timeout") for state in FINAL_STATES}
    assert polled.series(INGESTIONS) == {}
    assert polled.series(PENDING) == {(): 0}


def test_an_ingestion_that_the_api_no_longer_knows_is_lost_and_no_outcome() -> None:
    polled = polls(listing(ingestion("a")), listing())
    assert polled.changed
    polled.poll(listing(), START + 2 * POLL)
    assert ends(polled) == {}
    assert polled.fleet(LOST) == {(): 1}
    assert polled.asked == ["/ingestions"]


@pytest.mark.parametrize(("status", "error"), [(500, ServerError), (401, AuthError)])
def test_a_poll_that_can_not_ask_by_id_fails_and_changes_nothing(status: int, error: type[Exception]) -> None:
    polled = polls(listing(ingestion("a"), ingestion("b")))
    before, history, durations = polled.series(FINISHED), polled.history, polled.fleet(DURATION)
    with pytest.raises(error):
        polled.poll(listing(a=ingestion("a", "success"), b=status), START + POLL)
    assert (polled.series(FINISHED), polled.history, polled.fleet(DURATION)) == (before, history, durations)
    polled.poll(listing(a=ingestion("a", "success"), b=ingestion("b", "success")), START + 2 * POLL)
    assert ends(polled) == {("collection", "success"): 2}


@pytest.mark.parametrize("answer", [403, None, "no object"])
def test_one_that_the_server_can_not_return_is_awaited_and_hides_no_other(answer: object) -> None:
    polled = polls(listing(ingestion("a"), ingestion("b")))
    polled.poll(listing(ingestion("c"), a=answer, b=ingestion("b", "success")), START + POLL)
    assert ends(polled) == {("collection", "success"): 1}
    assert polled.series(INGESTIONS) == {("collection", "executing"): 1}
    polled.poll(listing(a=ingestion("a", "failed"), c=ingestion("c")), START + 2 * POLL)
    assert ends(polled) == {("collection", "success"): 1, ("collection", "failed"): 1}


def test_what_a_sparse_reply_leaves_out_is_as_it_was() -> None:
    polled = polls(listing(ingestion("a")), listing(a={"id": "a", "state": "success"}))
    assert ends(polled) == {("collection", "success"): 1}
    assert polled.fleet(DURATION)["collection", "success", "_count"] == 1


def test_one_that_left_the_list_unfinished_is_asked_for_until_it_ends() -> None:
    still = listing(a=ingestion("a", "executing"))
    silent = listing(a=ingestion("a", None))
    polled = polls(listing(ingestion("a")), still, silent, still)
    assert polled.asked == ["/ingestions", "/ingestions/a"]
    assert ends(polled) == {}
    polled.poll(listing(a=ingestion("a", "success")), START + 4 * POLL)
    assert ends(polled) == {("collection", "success"): 1}


def test_one_that_comes_back_into_the_list_unfinished_is_counted_when_it_ends() -> None:
    polled = polls(
        listing(ingestion("a")),
        listing(a=ingestion("a")),
        listing(ingestion("a")),
        listing(a=ingestion("a", "success")),
    )
    assert ends(polled) == {("collection", "success"): 1}


@pytest.mark.parametrize("first", [listing(ingestion("a", "success")), listing(a=ingestion("a", "success"))])
def test_a_finished_one_that_flickers_in_and_out_of_the_list_counts_once(first: dict[str, Any]) -> None:
    shown, hidden = listing(ingestion("a", "success")), listing(a=ingestion("a", "success"))
    polled = polls(listing(ingestion("a")), first, hidden, shown, hidden, hidden, shown, shown)
    assert ends(polled) == {("collection", "success"): 1}
    assert polled.fleet(DURATION)[("collection", "success", "_count")] == 1


def test_an_end_counts_once_though_the_clock_of_the_server_is_ahead() -> None:
    done = listing(ingestion("a", "success", START + 600))
    polled = polls(listing(), done, done, listing(), done)
    assert ends(polled) == {("collection", "success"): 1}


def test_a_list_that_lags_behind_does_not_make_an_end_count_twice() -> None:
    stale, done = listing(ingestion("a")), listing(a=ingestion("a", "success"))
    polled = polls(stale, done, stale, stale, done, done)
    assert ends(polled) == {("collection", "success"): 1}


def test_a_new_final_state_is_counted_under_its_own_name() -> None:
    polled = polls(listing(ingestion("a")), listing(a=ingestion("a", "partially_applied")))
    assert ends(polled) == {("collection", "partially_applied"): 1}


def test_ingestions_without_ids_are_shown_and_never_counted() -> None:
    polled = polls(
        listing(ingestion(None), ingestion(None, "success"), ingestion(None, "preparing", None)),
        listing(ingestion(None, "failed", START + 1)),
    )
    assert polled.asked == ["/ingestions"]
    assert ends(polled) == {}
    assert polled.series(INGESTIONS) == {("collection", "failed"): 1}


def test_the_list_is_counted_by_type_and_state_and_the_oldest_unfinished_shown() -> None:
    polled = polls(
        listing(
            ingestion("a", began=START - 50),
            ingestion("b", began=START - 500, has_pending_task=True),
            ingestion("c", began=None, has_pending_task=None),
            ingestion("d", "success", START - 5000),
            ingestion("e", "scheduled", None),
        )
    )
    assert polled.series(INGESTIONS) == {
        ("collection", "executing"): 3,
        ("collection", "success"): 1,
        ("collection", "scheduled"): 1,
    }
    assert polled.series(OLDEST_UNFINISHED) == {("collection", "executing"): START - 500}
    assert polled.series(PENDING) == {(): 1}


def test_the_last_start_in_each_state_survives_the_list_and_never_goes_back() -> None:
    polled = polls(
        listing(ingestion("a", began=START - 100), ingestion("b", began=START - 50)),
        listing(ingestion("a", began=START - 100), b=ingestion("b", "success", START - 50)),
        listing(a=ingestion("a", "success", START - 100)),
        listing(),
    )
    assert polled.series(LAST_STARTED) == {
        ("collection", "executing"): START - 50,
        ("collection", "success"): START - 50,
    }


def test_an_id_that_is_used_again_ends_twice_and_has_two_durations() -> None:
    polled = polls(
        listing(),
        listing(ingestion("x", "success", START - 600)),
        listing(ingestion("x", "executing", START + 90)),
        listing(ingestion("x", "failed", START + 90)),
        listing(ingestion("x", "failed", START + 90)),
    )
    assert ends(polled) == {("collection", "success"): 1, ("collection", "failed"): 1}
    assert lasted(polled) == {("collection", "success"): (1, 660), ("collection", "failed"): (1, 90)}


def test_an_end_without_a_start_counts_and_has_no_duration() -> None:
    polled = polls(listing(ingestion("a", "executing", None)), listing(a=ingestion("a", "success", None)))
    assert ends(polled) == {("collection", "success"): 1}
    assert lasted(polled) == {}


def test_a_start_in_the_future_lasts_no_time_rather_than_less() -> None:
    polled = polls(listing(ingestion("a")), listing(a=ingestion("a", "success", START + 9999)))
    assert lasted(polled) == {("collection", "success"): (1, 0)}


def test_two_tenants_share_durations_and_nothing_else() -> None:
    one = polls(listing(ingestion("a")), listing(a=ingestion("a", "success")))
    other = Polls(one.collector, one.totals)
    other.poll(listing(ingestion("a")))
    assert ends(other) == {}
    other.poll(listing(a=ingestion("a", "success")), START + POLL)
    assert other.fleet(DURATION)[("collection", "success", "_count")] == 2


def test_ten_thousand_ends_leave_a_short_history() -> None:
    polled = Polls(IngestionsCollector())
    for day in range(100):
        now = START + day * 86_400
        running = [ingestion(f"{day}-{number}", began=now) for number in range(100)]
        polled.poll(listing(*running), now)
        done = {each["id"]: each | {"state": "success"} for each in running}
        polled.poll(listing(**done), now + POLL)
    assert ends(polled) == {("collection", "success"): 10_000}
    assert len(polled.history.ingestions.unfinished) == 0
    assert len(polled.history.ingestions.ended) == 100


def test_a_server_that_never_ends_what_left_its_list_is_not_asked_for_more_and_more() -> None:
    polled = Polls(IngestionsCollector())
    zombies: dict[str, Any] = {}
    for number in range(60):
        zombie = ingestion(f"z{number}")
        polled.poll(listing(zombie, **zombies), START + number * POLL)
        zombies[zombie["id"]] = zombie
    polled.poll(listing(**zombies), START + 60 * POLL)
    polled.poll(listing(**zombies), START + 61 * POLL)
    assert len(polled.asked) == 51
    assert "/ingestions/z59" in polled.asked
    assert polled.fleet(LOST) == {(): 10}
    assert ends(polled) == {}


@dataclass(frozen=True)
class Life:
    """One ingestion's life: when it begins and ends, in polls, and how."""

    ident: str
    kind: str
    begins: float
    ends: float
    state: str

    def at(self, poll: int) -> Any:
        state = "executing" if poll < self.ends else self.state
        return ingestion(self.ident, state, START + self.begins * POLL, type=self.kind)


@st.composite
def _lives(draw: st.DrawFn) -> list[Life]:
    """Lives that at least one poll sees before they end."""
    lives = []
    for number in range(draw(st.integers(0, 8))):
        seen = draw(st.integers(0, 8))
        begins, last = seen - draw(st.sampled_from((0.0, 0.5, 3.25))), seen + draw(st.sampled_from((0.5, 1.0, 4.75)))
        kind, state = draw(st.sampled_from(("collection", "mirror"))), draw(st.sampled_from(FINAL_STATES))
        lives.append(Life(str(number), kind, begins, last, state))
    return lives


def _poll(lives: list[Life], poll: int, *, lists_finished: bool) -> dict[str, Any]:
    begun = [life for life in lives if life.begins <= poll]
    listed = [life.at(poll) for life in begun if poll < life.ends or lists_finished]
    return listing(*listed, **{life.ident: life.at(poll) for life in begun})


@pytest.mark.slow
@given(lives=_lives())
def test_a_server_that_lists_finished_ones_gives_the_figures_of_one_that_does_not(lives: list[Life]) -> None:
    either = [
        polls(*(_poll(lives, poll, lists_finished=lists_finished) for poll in range(15)))
        for lists_finished in (False, True)
    ]
    truth = Counter((life.kind, life.state) for life in lives)
    for polled in either:
        assert ends(polled) == truth
        assert sum(count for key, count in polled.fleet(DURATION).items() if key[-1] == "_count") == len(lives)
    assert either[0].fleet(DURATION) == either[1].fleet(DURATION)
    assert either[0].series(LAST_STARTED) == either[1].series(LAST_STARTED)


@given(lives=_lives(), hidden=st.lists(st.sets(st.integers(0, 7)), min_size=15, max_size=15))
def test_each_end_counts_once_however_the_list_flickers(lives: list[Life], hidden: list[set[int]]) -> None:
    """Any ingestion may be missing from any list, finished or not; a last poll shows nothing, so all are known."""
    answered = []
    for poll, missing in enumerate(hidden):
        answers = _poll(lives, poll, lists_finished=True)
        listed = [each for each in answers["/ingestions"]["data"] if each and int(each["id"]) not in missing]
        answered.append(answers | {"/ingestions": {"data": listed}})
    polled = polls(*answered, _poll(lives, 15, lists_finished=False))
    truth = Counter((life.kind, life.state) for life in lives)
    seen = ends(polled)
    assert all(seen[kind] <= truth[kind] for kind in seen)
    always = [life for life in lives if int(life.ident) not in set[int]().union(*hidden)]
    assert all(
        seen.get(kind, 0) >= count for kind, count in Counter((life.kind, life.state) for life in always).items()
    )
