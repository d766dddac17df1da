"""Breaks the polling: scheduler, poller, discovery, and what is known of a tenant."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

DISCOVERY = "exporter/polling/discovery.py"
POLLER = "exporter/polling/poller.py"
RECORDER = "exporter/polling/recorder.py"
POLLS = "exporter/polling/polls.py"
SCHEDULER = "exporter/polling/scheduler.py"
FAILURES = "tests/contract/test_failures.py::"
PACING = "tests/contract/test_pacing.py::"
OF_DISCOVERY = ("tests/polling/test_discovery.py",)
ADOPTION = "exporter/polling/adoption.py"
OF_ADOPTION = ("tests/polling/test_adoption.py",)
OF_POLLER = ("tests/polling/test_poller.py",)
OF_SCHEDULER = ("tests/polling/test_scheduler.py",)

OTHER_API = ("tests/contract/test_other_api.py",)

MUTANTS = (
    Mutant(
        "the tenants of the old API are polled at the new address",
        "exporter/assembly.py",
        "            self.poller.discovery.forget()\n",
        "",
        OTHER_API,
    ),
    Mutant(
        "a discovery under way finds tenants of the old API",
        DISCOVERY,
        """        if source is not self._source:
            return False
        known""",
        "        known",
        OTHER_API,
    ),
    Mutant(
        "requests under way go on at the new address",
        "exporter/api/client.py",
        "partial(self.transport.get, path",
        "partial(self.client.transport.get, path",
        OTHER_API,
    ),
    Mutant(
        "samples of a failing tenant never expire",
        RECORDER,
        "state.expires_at.get(name, 0.0))",
        'float("inf"))',
        (FAILURES + "test_last_good_series_stay_for_three_intervals_and_then_vanish",),
    ),
    Mutant(
        "the start of a failure moves with each failed poll",
        "exporter/history/history.py",
        "min(self.failing_since.get(collector, at), at)",
        "at",
        (FAILURES + "test_the_status_says_which_tenants_fail_why_and_since_when",),
    ),
    Mutant(
        "a tenant stays down after it has recovered",
        RECORDER,
        "            if is_news:\n",
        '            if outcome != "success":\n',
        ("tests/polling/test_recorder.py",),
    ),
    Mutant(
        "a tenant that was removed during its poll comes back",
        RECORDER,
        "        state, collector, name = poll.state, poll.schedule.collector, poll.schedule.name\n"
        "        if not poll.cancelled:\n",
        "        state, collector, name = poll.state, poll.schedule.collector, poll.schedule.name\n        if True:\n",
        OF_POLLER,
    ),
    Mutant(
        "a failing tenant is logged at each poll",
        RECORDER,
        "            if not state.failures:\n                event, about",
        "            if True:\n                event, about",
        (FAILURES + "test_failure_and_recovery_are_logged_once_with_the_name_and_no_secret",),
    ),
    Mutant(
        "all tenants follow new settings at once",
        ADOPTION,
        "_AT_ONCE = 50",
        "_AT_ONCE = 10_000",
        OF_ADOPTION,
    ),
    Mutant(
        "a tenant that has not followed one change misses its polls after the next one",
        ADOPTION,
        "_Change(left.known, left.dropped + change.dropped, due) if left else change",
        "change",
        OF_ADOPTION,
    ),
    Mutant(
        "a disabled collector leaves its failures behind",
        RECORDER,
        "        state.drop(collector.name)\n",
        "",
        (PACING + "test_a_failing_collector_that_is_turned_off_leaves_no_failure_behind",),
    ),
    Mutant(
        "an absent application is a failure",
        POLLER,
        "if collector.may_be_absent and error.by_api:",
        "if False:",
        (FAILURES + "test_no_application_is_no_failure",),
    ),
    Mutant(
        "an internal error ends all polling",
        POLLER,
        "except Exception as error:  # noqa: BLE001 - an internal error must not affect the other tenants",
        "except ArithmeticError as error:",
        (FAILURES + "test_an_internal_error_is_a_bug_of_that_tenant_alone",),
    ),
    Mutant(
        "more tenants are polled at once than requests may be in flight",
        POLLER,
        "free = self.scheduler.running - self._paused < self._client.concurrency",
        "free = True",
        OF_POLLER,
    ),
    Mutant(
        "the exporter is healthy although nothing moves",
        POLLER,
        "return self._clock.monotonic() - last < allowed + limiter.hold",
        "return True",
        (FAILURES + "test_health_fails_when_nothing_has_moved_for_far_too_long",),
    ),
    Mutant(
        "the exporter is ready before the first poll of every tenant",
        POLLER,
        "self.discovery.status.ok is not None and self.scheduler.first_polls_left == 0",
        "self.discovery.status.ok is not None",
        (FAILURES + "test_not_ready_before_every_tenant_was_polled",),
    ),
    Mutant(
        "two polls of one tenant run at a time",
        SCHEDULER,
        "elif poll.state in self._deferred:",
        "elif False:",
        OF_SCHEDULER,
    ),
    Mutant(
        "the lag is that of the tenant polled last",
        POLLS,
        "oldest = next(iter(self.ended_at.values()), now)",
        "oldest = next(reversed(self.ended_at.values()), now)",
        (PACING + "test_a_low_rate_limit_delays_polls_and_drops_nothing",),
    ),
    Mutant(
        "all tenants are polled at the same moment",
        POLLS,
        "_GOLDEN_RATIO = 0.618_033_988_749_895",
        "_GOLDEN_RATIO = 1.0",
        (PACING + "test_polls_are_spread_evenly_over_the_interval_after_the_first_polls",),
    ),
    Mutant(
        "missed polls are made up for",
        POLLS,
        "self.due += (missed + 1) * self.schedule.interval",
        "self.due += self.schedule.interval",
        OF_SCHEDULER,
    ),
    Mutant(
        "a removed tenant stays on the page",
        DISCOVERY,
        "        self._store.retain(self.tenants)\n",
        "",
        (FAILURES + "test_tenants_come_and_go_without_a_restart",),
    ),
    Mutant(
        "a partial discovery removes tenants",
        DISCOVERY,
        "        if not found.failures:\n",
        "        if True:\n",
        OF_DISCOVERY,
    ),
    Mutant(
        "a rotated secret is not used",
        DISCOVERY,
        "            state.api = self._api(tenant, found)\n",
        "            pass\n",
        (FAILURES + "test_a_rotated_secret_is_picked_up_from_the_next_discovery",),
    ),
    Mutant(
        "a failed discovery is a success",
        DISCOVERY,
        "ok = not reason",
        "ok = True",
        (FAILURES + "test_a_failed_discovery_keeps_the_tenants",),
    ),
    Mutant(
        "times of successes have digits that compress badly",
        "exporter/polling/recorder.py",
        "round(self._clock.now(), 3)",
        "self._clock.now()",
        ("tests/polling/test_recorder.py",),
    ),
    Mutant(
        "a tenant that was polled by one collector alone is up",
        "exporter/polling/tenant.py",
        "if self.failures or self.polled.issuperset(collectors):",
        "if self.failures or self.polled:",
        ("tests/polling/test_tenant.py",),
    ),
    Mutant(
        "all replies that arrive together are used at once",
        "exporter/api/client.py",
        "        await self._replies.go()\n",
        "",
        ("tests/api/test_replies_at_once.py",),
    ),
    Mutant(
        "a tenant that has not followed new collectors yet is up",
        "exporter/polling/tenant.py",
        "if self.failures or self.polled.issuperset(collectors):",
        "if self.failures or len(self.polled) == len(collectors):",
        ("tests/polling/test_tenant.py",),
    ),
    Mutant(
        "weights are those of another strategy until the next poll",
        "exporter/polling/adoption.py",
        "            self._scheduler.weigh(state)\n",
        "",
        ("tests/polling/test_adoption.py",),
    ),
    Mutant(
        "the event loop stands still for many ingestions",
        POLLER,
        "if collector.size(facts) <= _FACTS_AT_ONCE:",
        "if True:",
        OF_POLLER,
    ),
    Mutant(
        "a history that changes while many facts are worked out is lost",
        POLLER,
        "if state.history is before:",
        "if True:",
        OF_POLLER,
    ),
    Mutant(
        "one tenant fills the page",
        "exporter/collectors/collector.py",
        "if counts[sample.family.name] <= MOST_SAMPLES:",
        "if True:",
        ("tests/collectors/test_bounds.py",),
    ),
    Mutant(
        "samples are left out without a sign",
        RECORDER,
        "                self._telemetry.dropped(family, samples)\n",
        "                pass\n",
        OF_POLLER,
    ),
    Mutant(
        "which schedules are shown depends on the order of the list",
        "exporter/collectors/schedules.py",
        "return in_order({schedules.key_of(schedule): schedule for schedule in listed})",
        "return {schedules.key_of(schedule): schedule for schedule in listed}",
        ("tests/collectors/test_bounds.py",),
    ),
    Mutant(
        "a tenant without an id is left out without a sign",
        "exporter/polling/sources.py",
        "_without_id(sum(tenant is None for tenant in own))",
        "_without_id(0)",
        OF_DISCOVERY,
    ),
    Mutant(
        "two spellings of a name are two names",
        "exporter/polling/sources.py",
        "tuple(map(composed, getattr(self, name)))",
        "tuple(getattr(self, name))",
        OF_DISCOVERY,
    ),
    Mutant(
        "an excluded tenant is polled",
        "exporter/polling/sources.py",
        "            and not _any_glob(self.exclude, tenant)\n",
        "",
        OF_DISCOVERY,
    ),
    Mutant(
        "tenants that hang take all slots",
        "exporter/polling/poller.py",
        "next_due(max(1, self._client.concurrency // 2))",
        "next_due()",
        ("tests/contract/test_pacing.py::test_more_hanging_tenants_than_slots_delay_no_other_tenant_for_long",),
    ),
)
