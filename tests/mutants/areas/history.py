"""Breaks the history: since when things are so."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

INGESTIONS = "exporter/history/ingestions.py"
SCHEDULES = "exporter/history/schedules.py"
OF_FLAGS = ("tests/history/test_flags.py",)
OF_INGESTIONS = ("tests/history/test_ingestions.py",)
OF_SCHEDULES = ("tests/history/test_schedules.py",)
OF_CLOCK_WATCH = ("tests/polling/test_clock_watch.py",)
CLOCK_CHANGES = ("tests/contract/test_clock_changes.py",)
BOUNDS = "tests/history/test_bounds.py::"
OF_POLLING = ("tests/polling/test_recorder.py",)

MUTANTS = (
    Mutant(
        "a flag is on since the last poll",
        "exporter/history/flags.py",
        "on = {flag: min(before.on_since.get(flag, at), at) for",
        "on = {flag: at for",
        OF_FLAGS,
    ),
    Mutant(
        "a nightly pause counts as a long one",
        "exporter/history/flags.py",
        'at - begun >= threshold("long_pause")',
        "at - begun >= 0",
        OF_FLAGS,
    ),
    Mutant(
        "an unfinished ingestion was first seen by the last poll",
        INGESTIONS,
        "seen = {key: min(before.seen.get(key, at), at) for key in keys}",
        "seen = dict.fromkeys(keys, at)",
        OF_INGESTIONS,
    ),
    Mutant(
        "an ingestion in an unknown state is unfinished for ever",
        "exporter/history/unfinished.py",
        "(lately or ingestion.has_pending_task is True)",
        "True",
        OF_INGESTIONS,
    ),
    Mutant(
        "a person who cancels a run ends a failure",
        INGESTIONS,
        '        if ingestion.state == "success":\n            good',
        '        if ingestion.state in ("success", "cancelled"):\n            good',
        OF_INGESTIONS,
    ),
    Mutant(
        "a run that hangs begins a failure though a newer one has succeeded",
        INGESTIONS,
        "if ingestion.state in _BAD and started > good.get(kind, 0.0):",
        "if ingestion.state in _BAD:",
        OF_INGESTIONS,
    ),
    Mutant(
        "a start in the far future is believed",
        INGESTIONS,
        "return started if started is not None and started <= at + CLOCKS_DIFFER else None",
        "return started",
        OF_INGESTIONS,
    ),
    Mutant(
        "a run without a start started when it ended",
        "exporter/collectors/ingestions.py",
        "schedules.GoodRun(each.type, ingestions.start_of(each, history.ingestions, at))",
        "schedules.GoodRun(each.type, each.started_at or at)",
        OF_SCHEDULES,
    ),
    Mutant(
        "a run that another schedule started excuses every schedule",
        SCHEDULES,
        "key: each if starters - {key} else _covered(each, run)",
        "key: _covered(each, run)",
        OF_SCHEDULES,
    ),
    Mutant(
        "a mirror excuses a collection",
        SCHEDULES,
        "covered_at or 0.0)) if same else schedule",
        "covered_at or 0.0))",
        OF_SCHEDULES,
    ),
    Mutant(
        "clocks may not differ",
        SCHEDULES,
        "max(own + TOLERANCE, covered)",
        "max(own, covered)",
        OF_SCHEDULES,
    ),
    Mutant(
        "a paused tenant's schedules are active",
        SCHEDULES,
        "if paused or not schedule.written[-1]:",
        "if not schedule.written[-1]:",
        OF_SCHEDULES,
    ),
    Mutant(
        "an edit changes nothing",
        SCHEDULES,
        "known = before if before and before.written == written else",
        "known = before if before else",
        OF_SCHEDULES,
    ),
    Mutant(
        "a schedule is missed before it is polled",
        SCHEDULES,
        "at = min(now, history.polled_at)",
        "at = now",
        OF_SCHEDULES,
    ),
    Mutant(
        "a schedule with an invalid time is due",
        "exporter/api/models.py",
        "if any(given is not None and time is None for",
        "if any(False for",
        ("tests/collectors/test_schedules.py",),
    ),
    Mutant(
        "a rollover fails on though its status has changed",
        "exporter/history/rollovers.py",
        "if before.status not in (None, status):",
        "if False:",
        ("tests/history/test_rollovers.py",),
    ),
    Mutant(
        "the access of an integration has been in its state since the last poll",
        "exporter/history/application.py",
        "min(before.since, at) if state == before.state else at",
        "at",
        ("tests/history/test_application.py",),
    ),
    Mutant(
        "a schedule is active though the flags are unknown",
        "exporter/history/shared.py",
        '("state", "schedules"), min, _active',
        '("state", "schedules"), max, _active',
        OF_POLLING,
    ),
    Mutant(
        "a failure begins anew with each poll",
        "exporter/history/history.py",
        "since = min(self.failing_since.get(collector, at), at)",
        "since = at",
        OF_POLLING,
    ),
    Mutant(
        "a start in the year 9999 follows every due time",
        SCHEDULES,
        "told > at + TOLERANCE:",
        "told > at + 1e12:",
        OF_SCHEDULES,
    ),
    Mutant(
        "a start in the future is a new one at each poll",
        SCHEDULES,
        "if before is None or told not in before.executed:",
        "if True:",
        OF_SCHEDULES,
    ),
    Mutant(
        "a time after the year 9999 is a time",
        "exporter/api/fields.py",
        "0 < seconds < _END_OF_TIME",
        "0 < seconds",
        (BOUNDS + "test_a_time_that_a_file_can_not_have_is_none",),
    ),
    Mutant(
        "of a long list of ended ones, those that are left out count again",
        INGESTIONS,
        "return until is not None and",
        "return False and",
        (BOUNDS + "test_of_a_long_list_of_ended_ones_each_end_counts_once",),
    ),
    Mutant(
        "the newest of many unfinished ones stay",
        INGESTIONS,
        "key=lambda each: each[1])[:MOST_KEPT])",
        "key=lambda each: -each[1])[:MOST_KEPT])",
        (BOUNDS + "test_the_oldest_of_many_unfinished_ones_is_known_whatever_its_place",),
    ),
    Mutant(
        "any number of schedules is kept",
        SCHEDULES,
        "islice(listed.items(), MOST_KEPT)",
        "islice(listed.items(), None)",
        (BOUNDS + "test_long_lists_leave_a_history_of_bounded_size",),
    ),
    Mutant(
        "any number of flags is kept",
        "exporter/history/flags.py",
        "if flag not in STATE_FLAGS][:MOST_KEPT]",
        "if flag not in STATE_FLAGS]",
        (BOUNDS + "test_long_lists_leave_a_history_of_bounded_size",),
    ),
    Mutant(
        "a start that was told too early counts for later ones",
        SCHEDULES,
        "if known and known[0] <= at + TOLERANCE and",
        "if False and",
        OF_SCHEDULES,
    ),
    Mutant(
        "a clock set back moves no time",
        "exporter/polling/poller.py",
        "state.follow_clock(self.clock_watch.update())",
        "pass",
        CLOCK_CHANGES,
    ),
    Mutant(
        "a clock set forward makes times older",
        "exporter/polling/clock_watch.py",
        "self.moved += jump + set_right",
        "self.moved += min(0.0, jump) + set_right",
        (*CLOCK_CHANGES, *OF_CLOCK_WATCH),
    ),
    Mutant(
        "a suspended machine looks like a clock that was set",
        "exporter/clock.py",
        "self.monotonic() + self.suspended()",
        "self.monotonic()",
        OF_CLOCK_WATCH,
    ),
    Mutant(
        "a damaged time of the file makes times older",
        "exporter/polling/clock_watch.py",
        "if _NOTICED < behind <= _BELIEVED",
        "if _NOTICED < behind",
        OF_CLOCK_WATCH,
    ),
    Mutant(
        "a clock that was ahead at the start makes times older",
        "exporter/polling/clock_watch.py",
        "set_right = min(self._absence, max(0.0, -jump))",
        "set_right = 0.0",
        OF_CLOCK_WATCH,
    ),
    Mutant(
        "an absence explains any number of jumps",
        "exporter/polling/clock_watch.py",
        "self._absence -= set_right",
        "pass",
        OF_CLOCK_WATCH,
    ),
    Mutant(
        "a clock set while the file is read moves times twice",
        "exporter/polling/clock_watch.py",
        "self._offset = self._now()\n\n    def update",
        "\n    def update",
        OF_CLOCK_WATCH,
    ),
    Mutant(
        "times of tenants that are not polled are saved as they were before the clock was set",
        "exporter/polling/poller.py",
        "            state.follow_clock(moved)\n",
        "            pass\n",
        CLOCK_CHANGES,
    ),
    Mutant(
        "a clock that is set is not saved",
        "exporter/polling/poller.py",
        " + self.clock_watch.jumps",
        "",
        CLOCK_CHANGES,
    ),
    Mutant(
        "a file of the future is of now",
        "exporter/polling/poller.py",
        "self.clock_watch.restored(saved_at)",
        "pass",
        CLOCK_CHANGES,
    ),
)
