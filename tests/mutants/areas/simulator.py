"""Breaks the simulator."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RESOURCES = ("tests/simulator/test_resources.py",)
FAULTS = ("tests/simulator/test_faults.py",)
STORIES = ("tests/simulator/test_stories.py",)

MUTANTS = (
    Mutant(
        "an expired token is accepted",
        "exporter/simulator/authentication.py",
        "return Caller(issued.tenant) if now < issued.expires else None",
        "return Caller(issued.tenant)",
        RESOURCES,
    ),
    Mutant(
        "a page is as large as the client asks for",
        "exporter/simulator/paging.py",
        'size = min(_number(query, "page_size", self.default_size, 1), self.max_size)',
        'size = _number(query, "page_size", self.default_size, 1)',
        RESOURCES,
    ),
    Mutant(
        "a fault for one tenant applies to all",
        "exporter/simulator/faults.py",
        "if fault.endpoint not in (None, endpoint) or fault.tenant_id not in (None, tenant_id):",
        "if fault.endpoint not in (None, endpoint):",
        FAULTS,
    ),
    Mutant(
        "a fault never ends",
        "exporter/simulator/faults.py",
        "if active.applied == active.fault.times:",
        "if active.applied == 0:",
        FAULTS,
    ),
    Mutant(
        "schedules run while the tenant is paused",
        "exporter/simulator/context.py",
        "return any(self.flags[flag] for flag in PAUSING_FLAGS)",
        "return False",
        (STORIES[0] + "::test_no_schedule_runs_while_a_flag_pauses_it",),
    ),
    Mutant(
        "the history of ingestions grows without bound",
        "exporter/simulator/ingestions.py",
        "for ingestion_id in finished[:-_KEPT_FINISHED]:",
        "for ingestion_id in finished[:0]:",
        (STORIES[0] + "::test_the_history_of_years_is_bounded",),
    ),
    Mutant(
        "a cancelled run begins an incident",
        "exporter/simulator/ingestions.py",
        'if state in ("failed", "timeout"):',
        'if state != "success":',
        ("tests/simulator/test_run_effects.py",),
    ),
    Mutant(
        "a schedule does not wait for the run that blocks it",
        "exporter/simulator/schedules.py",
        "if schedule.enabled and not schedule.blocked and not self._context.is_paused():",
        "if schedule.enabled and not self._context.is_paused():",
        ("tests/simulator/test_run_effects.py",),
    ),
    Mutant(
        "a schedule runs twice after its hour was changed",
        "exporter/simulator/schedules.py",
        "if at != schedule.due_at:",
        "if False:",
        ("tests/simulator/test_scripted_effects.py", "tests/simulator/test_stories.py"),
    ),
)
