"""Breaks the simulator."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RESOURCES = ("tests/simulator/test_resources.py",)
FAULTS = ("tests/simulator/test_faults.py",)
STORIES = ("tests/simulator/test_stories.py",)
SCHEDULES = ("tests/simulator/test_schedule_calls.py",)
ROLLOVERS = ("tests/simulator/test_rollover_calls.py",)
SCOPING = ("tests/simulator/test_scoping_calls.py",)
BAD_REQUESTS = ("tests/simulator/test_bad_requests.py",)

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
    Mutant(
        "a schedule runs beside a pending ingestion",
        "exporter/simulator/tenant_changes.py",
        "for one in call.simulated.ingestions.under_way():",
        "for one in call.simulated.ingestions.under_way()[:0]:",
        SCHEDULES,
    ),
    Mutant(
        "a run is only noted, and starts nothing",
        "exporter/simulator/tenant_changes.py",
        "call.simulated.schedules.execute(schedule, call.now)",
        "schedule.last_executed_at = call.now",
        SCHEDULES,
    ),
    Mutant(
        "a story brings a deleted schedule back",
        "exporter/simulator/schedules.py",
        "schedule.enabled, schedule.removed = False, True",
        "schedule.enabled = False",
        SCHEDULES,
    ),
    Mutant(
        "an active rollover can be deleted",
        "exporter/simulator/tenant_changes.py",
        """    if rollover.is_on:
        raise conflict("An active""",
        """    if False:
        raise conflict("An active""",
        ROLLOVERS,
    ),
    Mutant(
        "rollovers may overlap",
        "exporter/simulator/rollovers.py",
        "and one.start < end and start < until:",
        "and one.start == start and end == until:",
        ROLLOVERS,
    ),
    Mutant(
        "a rollover that was moved still opens at its old start",
        "exporter/simulator/rollovers.py",
        "if rollover.starts_by_itself and rollover.start == start:",
        "if rollover.starts_by_itself:",
        ROLLOVERS,
    ),
    Mutant(
        "schools are appended where the call says replace",
        "exporter/simulator/scoping_calls.py",
        """    if replaces:
        have.clear()""",
        """    if not replaces:
        have.clear()""",
        SCOPING,
    ),
    Mutant(
        "any tenant's school can be named in a body",
        "exporter/simulator/scoping_calls.py",
        'if body.uuid("tenant_id") not in (None, call.tenant.id):',
        "if False:",
        SCOPING,
    ),
    Mutant(
        "a body that nests too deep is an error of the server",
        "exporter/simulator/bodies.py",
        "except (ValueError, RecursionError):",
        "except ValueError:",
        BAD_REQUESTS,
    ),
    Mutant(
        "an oversized body is read",
        "exporter/simulator/api.py",
        "if received.request.is_oversized or len(received.request.body) > MAX_BODY_BYTES:",
        "if received.request.is_oversized:",
        BAD_REQUESTS,
    ),
    Mutant(
        "a tenant can make the calls of the account",
        "exporter/simulator/api.py",
        "if (caller.tenant is None) != (route.audience == ACCOUNT):",
        'if route.methods == ("GET",) and (caller.tenant is None) != (route.audience == ACCOUNT):',
        RESOURCES,
    ),
)
