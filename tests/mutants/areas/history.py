"""Breaks the history: since when things are so."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

INGESTIONS = "exporter/history/ingestions.py"
SCHEDULES = "exporter/history/schedules.py"
OF_FLAGS = ("tests/history/test_flags.py",)
OF_INGESTIONS = ("tests/history/test_ingestions.py",)
OF_SCHEDULES = ("tests/history/test_schedules.py",)
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
        "return {key: min(before.seen.get(key, at), at) for key in keys}",
        "return dict.fromkeys(keys, at)",
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
        "if started_by or not same:",
        "if not same:",
        OF_SCHEDULES,
    ),
    Mutant(
        "a mirror excuses a collection",
        SCHEDULES,
        "if started_by or not same:",
        "if started_by:",
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
        "if paused or not enabled:",
        "if not enabled:",
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
)
