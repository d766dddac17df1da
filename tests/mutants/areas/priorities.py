"""Breaks the priorities of polls: what they are worth, and the order in which they come."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

POLLER = "exporter/polling/poller.py"
QUEUE = "exporter/polling/poll_queue.py"
SCHEDULER = "exporter/polling/scheduler.py"
OUTLOOK = "exporter/history/outlook.py"
OF_SCHEDULER = ("tests/polling/test_scheduler.py",)
OF_PRIORITIES = ("tests/polling/test_priorities.py",)
OF_OUTLOOK = ("tests/history/test_outlook.py",)
OF_STRATEGY = ("tests/contract/test_strategy.py",)

MUTANTS = (
    Mutant(
        "priorities also apply while no poll is late",
        SCHEDULER,
        "if not self.priorities or now - first.due <= self._shortest:",
        "if not self.priorities:",
        OF_PRIORITIES,
    ),
    Mutant(
        "plain rounds have priorities, too",
        SCHEDULER,
        "if not self.priorities or now - first.due <= self._shortest:",
        "if now - first.due <= self._shortest:",
        OF_PRIORITIES,
    ),
    Mutant(
        "all requests go to what is worth most",
        SCHEDULER,
        "return (first, -1) if self._balance > 0 else (self._queue.worth_most(now), 1)",
        "return self._queue.worth_most(now), 1",
        OF_PRIORITIES,
    ),
    Mutant(
        "polls take turns, whatever requests they send",
        SCHEDULER,
        "        self._balance += poll.sign * (poll.requests - 1)\n",
        "",
        OF_PRIORITIES,
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
        OF_PRIORITIES,
    ),
    Mutant(
        "a poll of a new tenant waits like any other",
        SCHEDULER,
        "poll.weight = FIRST if self.priorities else ORDINARY",
        "poll.weight = ORDINARY",
        OF_PRIORITIES,
    ),
    Mutant(
        "new credentials are worth nothing",
        SCHEDULER,
        "                    poll.urgent = True\n",
        "",
        OF_PRIORITIES,
    ),
    Mutant(
        "a recovery tells nothing about the tenant's other failing collectors",
        SCHEDULER,
        "        self._note_recovery(poll)\n",
        "",
        OF_PRIORITIES,
    ),
    Mutant(
        "an internal error about a history stops all polls",
        SCHEDULER,
        "except Exception as error:  # noqa: BLE001 - an internal error here must not stop the polls",
        "except ArithmeticError as error:",
        OF_PRIORITIES,
    ),
    Mutant(
        "intervals don't matter for what is worth most",
        QUEUE,
        "key = (weight * (1 + (now - poll.due) / schedule.interval), -poll.due)",
        "key = (weight, -poll.due)",
        OF_PRIORITIES,
    ),
    Mutant(
        "the heaps of weights grow for ever while no poll is late",
        QUEUE,
        "            _first(self._heaps[poll.schedule][poll.weight], poll.weight)\n",
        "            pass\n",
        OF_PRIORITIES,
    ),
    Mutant(
        "a poll that was moved begins twice",
        QUEUE,
        "if poll.queued and poll.due == due and weight in (ORDINARY, poll.weight):",
        "if weight in (ORDINARY, poll.weight):",
        (*OF_SCHEDULER, *OF_PRIORITIES),
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
