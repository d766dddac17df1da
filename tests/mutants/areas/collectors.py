"""Breaks the collectors, each of them at least once."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

INGESTIONS = "exporter/history/ingestions.py"
SCHEDULES = "exporter/history/schedules.py"
OTHERS = ("tests/collectors/test_others.py",)
OF_INGESTIONS = ("tests/collectors/test_ingestions.py",)
OF_SCHEDULES = ("tests/collectors/test_schedules.py",)

MUTANTS = (
    Mutant(
        "samples that the history does not keep are not counted",
        "exporter/collectors/collector.py",
        "for family, count in self.omitted(poll).items() if count}",
        "for family, count in self.omitted(poll).items() if count < 0}",
        ("tests/collectors/test_bounds.py",),
    ),
    Mutant(
        "schedules of a paused tenant count as active",
        "exporter/collectors/schedules.py",
        "on if poll.history.state.paused is False else 0",
        "on",
        ("tests/collectors/test_bounds.py",),
    ),
    Mutant(
        "a flag that is off has no sample",
        "exporter/collectors/state.py",
        "            yield STATE(on, tenant_id",
        "            if on: yield STATE(on, tenant_id",
        OTHERS,
    ),
    Mutant(
        "a tenant without an application fails",
        "exporter/collectors/application.py",
        "    may_be_absent = True\n",
        "",
        OTHERS,
    ),
    Mutant(
        "a school that does not say whether it is selected counts as not selected",
        "exporter/collectors/scoping.py",
        "Counter(scope.selected for",
        "Counter(bool(scope.selected) for",
        OTHERS,
    ),
    Mutant(
        "actors without a type are not counted",
        "exporter/collectors/account.py",
        "Counter(actor.type for actor in poll.facts.actors)",
        "Counter(actor.type for actor in poll.facts.actors if actor.type)",
        OTHERS,
    ),
    Mutant(
        "two rollovers of one name replace each other",
        "exporter/collectors/rollovers.py",
        "return f\"{rollover.name or rollover.type or ''}@{start}\"",
        "return f\"{rollover.name or rollover.type or ''}\"",
        OTHERS,
    ),
    Mutant(
        "a rollover without failures has none to show",
        "exporter/collectors/rollovers.py",
        "(FAILURES, rollover.status_change_failures)",
        "(FAILURES, rollover.status_change_failures or None)",
        OTHERS,
    ),
    Mutant(
        "a schedule that is off is due",
        "exporter/history/due_times.py",
        "if not schedule.enabled or schedule.hour is None",
        "if schedule.hour is None",
        OF_SCHEDULES,
    ),
    Mutant(
        "a schedule was due before it was created",
        "exporter/history/due_times.py",
        "due < schedule.created_at",
        "due < 0",
        OF_SCHEDULES,
    ),
    Mutant(
        "a start that is due right now is not due yet",
        "exporter/history/due_times.py",
        "if moment <= now)",
        "if moment < now)",
        OF_SCHEDULES,
    ),
    Mutant(
        "a schedule that has never run was run in 1970",
        "exporter/collectors/schedules.py",
        "(LAST_EXECUTED, schedule.last_executed_at),",
        "(LAST_EXECUTED, schedule.last_executed_at or 0.0),",
        OF_SCHEDULES,
    ),
    Mutant(
        "an ingestion without a pending task counts as one",
        "exporter/collectors/ingestions.py",
        "ingestion.has_pending_task is True for",
        "ingestion.has_pending_task is not None for",
        OF_INGESTIONS,
    ),
    Mutant(
        "the end of an ingestion counts at each poll",
        INGESTIONS,
        "and ingestion.id is not None and not _seen_ended(ingestion, before):",
        "and ingestion.id is not None:",
        OF_INGESTIONS,
    ),
    Mutant(
        "the first poll counts ends of the past",
        INGESTIONS,
        "polled_at: float | None = None",
        "polled_at: float | None = 0.0",
        OF_INGESTIONS,
    ),
    Mutant(
        "a counter appears with its first end instead of at zero",
        INGESTIONS,
        "zeros = [(kind, state) for kind in types for state in FINAL_STATES]",
        "zeros: list[tuple[str, str]] = []",
        OF_INGESTIONS,
    ),
    Mutant(
        "the newest unfinished ingestion is shown as the oldest",
        "exporter/history/unfinished.py",
        "started[key] = min(",
        "started[key] = max(",
        OF_INGESTIONS,
    ),
    Mutant(
        "an ingestion that left the list without an end is lost at once",
        INGESTIONS,
        "(left | listed).items()",
        "listed.items()",
        OF_INGESTIONS,
    ),
)
