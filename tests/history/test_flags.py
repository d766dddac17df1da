"""Tests since when a tenant's flags have been on, and when it was last paused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.api.models import STATE_FLAGS
from exporter.history.flags import LAST_LONG_PAUSE, LAST_PAUSED, ON_SINCE
from tests.history.tenant import DAY, HOUR, MINUTE, OFF, START, SUSPENDED, Tenant

SUSPENSION = "synchronization_suspended"


def polled(*flags: dict[str, bool]) -> Tenant:
    """A tenant with these flags, a minute apart."""
    tenant = Tenant()
    for number, each in enumerate(flags):
        tenant.flags(START + number * MINUTE, each)
    return tenant


def test_a_flag_is_on_since_the_first_poll_that_saw_it_on() -> None:
    tenant = polled(OFF, SUSPENDED, SUSPENDED)
    assert tenant.series(ON_SINCE) == {SUSPENSION: START + MINUTE}


def test_a_flag_that_goes_off_and_on_is_on_since_the_second_time() -> None:
    assert polled(SUSPENDED, OFF).series(ON_SINCE) == {}
    assert polled(SUSPENDED, OFF, SUSPENDED).series(ON_SINCE) == {SUSPENSION: START + 2 * MINUTE}


def test_a_flag_that_this_version_does_not_know_has_a_time_and_is_no_pause() -> None:
    tenant = polled(OFF | {"new_mode": True}, OFF | {"new_mode": True})
    assert tenant.series(ON_SINCE) == {"new_mode": START}
    assert tenant.value(LAST_PAUSED) is None


def test_a_flag_that_is_missing_from_a_poll_has_no_time_then_and_its_old_one_afterwards() -> None:
    missing = {flag: on for flag, on in SUSPENDED.items() if flag != SUSPENSION}
    assert polled(SUSPENDED, missing).series(ON_SINCE) == {}
    assert polled(SUSPENDED, missing, SUSPENDED).series(ON_SINCE) == {SUSPENSION: START}


@pytest.mark.parametrize("flag", STATE_FLAGS)
def test_each_of_the_four_flags_pauses_the_tenant(flag: str) -> None:
    assert polled(OFF | {flag: True}).value(LAST_PAUSED) == START


def test_the_last_pause_ends_with_the_last_poll_that_saw_it() -> None:
    assert polled(OFF).value(LAST_PAUSED) is None
    assert polled(SUSPENDED, SUSPENDED, OFF, OFF).value(LAST_PAUSED) == START + MINUTE
    assert polled(SUSPENDED, {"setup_mode_enabled": True}, {}).value(LAST_PAUSED) == START + MINUTE


@pytest.mark.parametrize(("hours", "long"), [(11.9, None), (12.0, 12.0), (30.0, 30.0)])
def test_a_pause_is_long_from_twelve_hours_on(hours: float, long: float | None) -> None:
    tenant = Tenant()
    tenant.flags(START - MINUTE)
    tenant.flags(START, SUSPENDED)
    tenant.flags(START + hours * HOUR, SUSPENDED)
    tenant.flags(START + hours * HOUR + MINUTE)
    assert tenant.value(LAST_LONG_PAUSE) == (None if long is None else START + long * HOUR)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_pause_whose_begin_was_not_seen_may_be_long(*, restarted: bool) -> None:
    """Only a first poll does not see it: with a state file, a restart knows the time before."""
    tenant = Tenant()
    if restarted:
        tenant.flags(START - MINUTE)
        tenant.restart()
    tenant.flags(START, SUSPENDED)
    assert tenant.value(LAST_LONG_PAUSE) == (None if restarted else START)


def test_one_flag_after_the_other_is_one_pause() -> None:
    tenant = Tenant()
    tenant.flags(START, SUSPENDED)
    tenant.flags(START + 6 * HOUR, OFF | {"rollover_mode_enabled": True})
    tenant.flags(START + 12 * HOUR, OFF | {"setup_mode_enabled": True})
    assert tenant.value(LAST_LONG_PAUSE) == START + 12 * HOUR


def test_nightly_pauses_of_three_hours_are_never_long() -> None:
    tenant = Tenant()
    tenant.flags(START - MINUTE)
    for hour in range(24 * 7):
        tenant.flags(START + hour * HOUR, SUSPENDED if hour % 24 < 3 else OFF)
    assert tenant.value(LAST_LONG_PAUSE) is None
    assert tenant.value(LAST_PAUSED) == START + 6 * DAY + 2 * HOUR


def test_whether_a_tenant_is_paused_is_unknown_if_a_flag_is_missing_and_none_is_on() -> None:
    assert polled(OFF).history.state.paused is False
    assert polled({}).history.state.paused is None
    assert polled({"mass_change_pending": False}).history.state.paused is None
    assert polled({"mass_change_pending": True}).history.state.paused is True


def test_a_pause_whose_flags_are_missing_from_a_poll_goes_on() -> None:
    tenant = Tenant()
    tenant.flags(START, SUSPENDED)
    tenant.flags(START + HOUR, {})
    tenant.flags(START + 12 * HOUR, SUSPENDED)
    assert tenant.value(LAST_LONG_PAUSE) == START + 12 * HOUR


def test_an_outage_of_hours_in_which_nothing_changed_changes_no_time() -> None:
    tenant = Tenant()
    tenant.flags(START, SUSPENDED)
    tenant.restart()
    assert tenant.history.state.paused is None
    tenant.flags(START + 13 * HOUR, SUSPENDED)
    assert tenant.series(ON_SINCE) == {SUSPENSION: START}
    assert tenant.value(LAST_LONG_PAUSE) == START + 13 * HOUR


def test_without_a_state_file_a_flag_is_on_since_the_restart() -> None:
    tenant = polled(SUSPENDED)
    tenant.restart(with_state_file=False)
    tenant.flags(START + DAY, SUSPENDED)
    assert tenant.series(ON_SINCE) == {SUSPENSION: START + DAY}


def test_a_clock_that_was_ahead_leaves_no_time_in_the_future() -> None:
    tenant = Tenant()
    for at, flags in ((START + 300 * DAY, SUSPENDED), (START + 301 * DAY, SUSPENDED), (START, SUSPENDED)):
        tenant.flags(at, flags)
    tenant.flags(START + MINUTE)
    assert tenant.value(LAST_PAUSED) == START
    assert tenant.value(LAST_LONG_PAUSE) == START
    tenant.flags(START + 2 * MINUTE, SUSPENDED)
    assert tenant.series(ON_SINCE) == {SUSPENSION: START + 2 * MINUTE}


def test_a_pause_that_a_clock_ahead_began_lasts_from_when_it_was_set_back() -> None:
    """Also if the flags are missing from the poll that comes after that."""
    tenant = Tenant()
    tenant.flags(START + DAY, SUSPENDED)
    tenant.flags(START, {})
    tenant.flags(START + 12 * HOUR, SUSPENDED)
    assert tenant.series(ON_SINCE) == {SUSPENSION: START}
    assert tenant.value(LAST_LONG_PAUSE) == START + 12 * HOUR


FLAGS = st.dictionaries(st.sampled_from((*STATE_FLAGS, "new_mode")), st.booleans())


@given(st.lists(st.tuples(st.integers(-300, 1000), FLAGS), min_size=1, max_size=20))
def test_whatever_the_clock_does_no_time_is_in_the_future_and_each_flag_that_is_on_has_one(
    polls: list[tuple[int, dict[str, bool]]],
) -> None:
    tenant, at = Tenant(), START
    for minutes, flags in polls:
        at += minutes * MINUTE
        tenant.flags(at, flags)
        since = tenant.series(ON_SINCE)
        assert since.keys() == {flag for flag, on in flags.items() if on}
        moments = [*since.values(), tenant.value(LAST_PAUSED), tenant.value(LAST_LONG_PAUSE)]
        assert all(moment <= at for moment in moments if moment is not None)
        assert len(tenant.history.state.on_since) <= len(STATE_FLAGS) + 1
        tenant.flags(at, flags)
        assert tenant.series(ON_SINCE) == since


@given(st.lists(st.sampled_from((OFF, SUSPENDED, {})), max_size=10), st.integers(0, 10))
def test_a_restart_before_any_poll_changes_nothing(flags: list[dict[str, bool]], restart_before: int) -> None:
    steady, restarted = Tenant(), Tenant()
    for number, each in enumerate([*flags, SUSPENDED]):
        if number == restart_before:
            restarted.restart()
        steady.flags(START + number * 2 * HOUR, each)
        restarted.flags(START + number * 2 * HOUR, each)
    for family in (ON_SINCE, LAST_PAUSED, LAST_LONG_PAUSE):
        assert steady.series(family) == restarted.series(family)
