"""Breaks the priorities of polls: what they are worth, and the order in which they come."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

POLLER = "exporter/polling/poller.py"
QUEUE = "exporter/polling/poll_queue.py"
SCHEDULER = "exporter/polling/scheduler.py"
OUTLOOK = "exporter/history/outlook.py"
PRIORITIES = "tests/polling/test_priorities.py::"
OF_OUTLOOK = ("tests/history/test_outlook.py",)
OF_STRATEGY = ("tests/contract/test_strategy.py",)

MUTANTS = (
    Mutant(
        "weights that come and go leave entries for ever",
        QUEUE,
        "if len(heap) > 2 * len(heaps[ORDINARY]) + _FEW_INVALID:",
        "if False:",
        ("tests/polling/test_priorities.py",),
    ),
    Mutant(
        "priorities also apply while no poll is late",
        SCHEDULER,
        "if not self.priorities or now - first.due <= self._shortest:",
        "if not self.priorities:",
        (PRIORITIES + "test_a_delay_of_less_than_the_shortest_interval_changes_nothing",),
    ),
    Mutant(
        "plain rounds have priorities, too",
        SCHEDULER,
        "if not self.priorities or now - first.due <= self._shortest:",
        "if now - first.due <= self._shortest:",
        (PRIORITIES + "test_plain_rounds_poll_the_most_overdue_one_and_nothing_else",),
    ),
    Mutant(
        "all requests go to what is worth most",
        SCHEDULER,
        "return (first, -1) if self._balance > 0 else (self._queue.worth_most(now), 1)",
        "return self._queue.worth_most(now), 1",
        (PRIORITIES + "test_half_of_the_requests_go_to_the_most_overdue_polls_whatever_the_others_cost",),
    ),
    Mutant(
        "polls take turns, whatever requests they send",
        SCHEDULER,
        "        self._balance += poll.sign * (poll.requests - 1)\n",
        "",
        (PRIORITIES + "test_half_of_the_requests_go_to_the_most_overdue_polls_whatever_the_others_cost",),
    ),
    Mutant(
        "a poll does not count its requests",
        POLLER,
        "        poll.count_requests()\n",
        "",
        OF_STRATEGY,
    ),
    Mutant(
        "what changes as time passes is not noticed before the next poll",
        SCHEDULER,
        "        self._weigh_again()\n",
        "",
        (PRIORITIES + "test_a_schedule_that_becomes_due_is_looked_at_without_a_poll_that_says_so",),
    ),
    Mutant(
        "a poll of a new tenant waits like any other",
        SCHEDULER,
        "poll.weight = FIRST if self.priorities else ORDINARY",
        "poll.weight = ORDINARY",
        (PRIORITIES + "test_a_new_tenant_is_polled_before_all_that_are_late",),
    ),
    Mutant(
        "new credentials are worth nothing",
        SCHEDULER,
        "                poll.urgent = True\n",
        "",
        (PRIORITIES + "test_a_tenant_with_new_credentials_is_polled_soon_and_its_failing_collectors_at_once",),
    ),
    Mutant(
        "a recovery tells nothing about the tenant's other failing collectors",
        SCHEDULER,
        "        self._note_recovery(poll)\n",
        "",
        (PRIORITIES + "test_after_a_recovery_the_other_failing_collectors_are_polled_soon",),
    ),
    Mutant(
        "an internal error about a history stops all polls",
        SCHEDULER,
        "except Exception as error:  # noqa: BLE001 - an internal error here must not stop the polls",
        "except ArithmeticError as error:",
        (PRIORITIES + "test_an_internal_error_about_a_history_stops_no_poll",),
    ),
    Mutant(
        "intervals don't matter for what is worth most",
        QUEUE,
        "key = (weight * (1 + (now - poll.due) / schedule.interval), -poll.due)",
        "key = (weight, -poll.due)",
        (PRIORITIES + "test_of_polls_with_the_same_weight_those_with_short_intervals_come_more_often",),
    ),
    Mutant(
        "the heaps of weights grow for ever while no poll is late",
        QUEUE,
        "            _first(self._heaps[poll.schedule][poll.weight], poll.weight)\n",
        "            pass\n",
        (PRIORITIES + "test_while_nothing_is_late_the_heaps_keep_no_entries_of_polls_that_are_over",),
    ),
    Mutant(
        "a poll that was moved begins before it is due",
        QUEUE,
        "if poll.queued and poll.due == due and weight in (ORDINARY, poll.weight):",
        "if poll.queued and weight in (ORDINARY, poll.weight):",
        (PRIORITIES + "test_an_unfinished_ingestion_is_looked_at_far_more_often_than_plain_rounds_do",),
    ),
    Mutant(
        "a removed tenant is kept until its schedule is due",
        SCHEDULER,
        "            tenant.state, tenant.polls = None, ()\n",
        "            pass\n",
        (PRIORITIES + "test_a_tenant_that_was_removed_is_not_kept_for_its_next_due_time",),
    ),
    Mutant(
        "at the full hour all tenants are weighed at once",
        SCHEDULER,
        "for _ in range(_WEIGHED_AT_ONCE):",
        "while True:",
        (PRIORITIES + "test_at_the_full_hour_many_tenants_are_weighed_step_by_step",),
    ),
    Mutant(
        "all cancelled polls are passed over at once",
        SCHEDULER,
        "for _ in range(_PASSED_AT_ONCE):",
        "while True:",
        ("tests/polling/test_scheduler.py::test_many_polls_that_can_not_begin_are_passed_over_in_steps",),
    ),
    Mutant(
        "a stalled ingestion is looked at for ever",
        OUTLOOK,
        'newest, newest + threshold("ingestion_stalled") + _CONFIRMED',
        "newest, math.inf",
        OF_OUTLOOK,
    ),
    Mutant(
        "a start that was told ends the wait before its run can be listed",
        OUTLOOK,
        "if not started or polled_at is None or polled_at < (start or due) + _LISTED:",
        "if not started:",
        OF_OUTLOOK,
    ),
    Mutant(
        "a schedule of a paused tenant is due",
        OUTLOOK,
        "        if known.active_since is None:\n            continue\n",
        "",
        OF_OUTLOOK,
    ),
    Mutant(
        "the end of a rollover window is not expected",
        OUTLOOK,
        "((rollover.start, True), (rollover.end, False))",
        "((rollover.start, True),)",
        OF_OUTLOOK,
    ),
    Mutant(
        "the strategy does not reach the scheduler",
        "exporter/assembly.py",
        'self.poller.scheduler.priorities = settings.polling.strategy == "priority"',
        "self.poller.scheduler.priorities = True",
        OF_STRATEGY,
    ),
)
