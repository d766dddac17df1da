"""Prints the result of a backtest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median

from exporter.simulator import Incident
from tests.support.backtest.engine import Evaluated, Firing
from tests.support.backtest.expectations import DAY, EXPECTED, HOUR, MINUTE
from tests.support.backtest.must_not import Row, table
from tests.support.backtest.notifications import count
from tests.support.backtest.recording import Recorded
from tests.support.backtest.scenario import Scenario
from tests.support.backtest.storms import STORMS
from tests.support.backtest.verdict import Outcome, Verdict

_MONTH = 30 * DAY
_HUNDRED = 100


def report(
    scenario: Scenario, recorded: Recorded, said: Evaluated, found: Verdict, notifications: Sequence[float]
) -> str:
    """The whole report as text. `notifications` is when people were notified, in Unix seconds."""
    names = recorded.names
    return "\n\n".join(
        [
            _heading(scenario, said, found),
            _incidents(found.outcomes),
            _alerts(found),
            _must_not(table(scenario, recorded.told, found)),
            _storms(recorded.told, notifications),
            _list("Not found", [_missed(one, names) for one in found.missed()]),
            _list("Forgotten in a gap", [_forgotten(one, names) for one in found.forgotten()]),
            _list("False alarms", [_false(one, names) for one in found.false]),
            _list("Rules that could not be evaluated", said.errors),
            _list(
                "Targets",
                [f"{'reached ' if good else 'MISSED  '} {text}" for text, good in targets(scenario, said, found)],
            ),
        ]
    )


def targets(scenario: Scenario, said: Evaluated, found: Verdict) -> list[tuple[str, bool]]:
    """The targets of the backtest, and whether the rules reach them."""
    loud = [one for one in found.false if one.severity == "critical"]
    warnings = [one for one in found.false if one.severity == "warning"]
    allowed = max(1.0, scenario.tenants / _HUNDRED * (scenario.ends - scenario.starts) / _MONTH)
    late = [kind for kind, delays in _delays(found.outcomes).items() if median(delays) > EXPECTED[kind].promised]
    return [
        (f"every incident found ({len(found.missed())} not)", not found.missed()),
        (f"every incident found again after a gap ({len(found.forgotten())} not)", not found.forgotten()),
        (f"no false critical ({len(loud)})", not loud),
        (f"at most one false warning per 100 tenants and month ({len(warnings)})", len(warnings) <= allowed),
        (f"median delay no more than the threshold and two polls ({', '.join(late) or 'everywhere'})", not late),
        (f"every rule could be evaluated ({len(said.errors)} could not)", not said.errors),
    ]


def _heading(scenario: Scenario, said: Evaluated, found: Verdict) -> str:
    odd = Counter(one.kind for one in scenario.stories if one.kind not in EXPECTED)
    odd += Counter(f"short {one.incident.kind}" for one in found.outcomes if one.short and one.delay is None)
    figures, odds = said.figures, odd.total()
    days = (scenario.ends - scenario.starts) / DAY
    bad = sum(not one.short or one.delay is not None for one in found.outcomes)
    lines = (
        f"{scenario.tenants} tenants, {days:g} days from {_when(scenario.starts)}: {bad} incidents, {odds} oddities.",
        "Oddities: " + (", ".join(f"{number} {kind}" for kind, number in sorted(odd.items())) or "none"),
        ", ".join(f"{figures[what]:,} {what}" for what in ("scrapes", "samples", "series", "evaluations")),
    )
    return "\n".join(lines)


def _delays(outcomes: Iterable[Outcome]) -> dict[str, list[float]]:
    delays: dict[str, list[float]] = {}
    for one in outcomes:
        if one.delay is not None:
            delays.setdefault(one.incident.kind, []).append(one.delay)
    return delays


def _incidents(outcomes: Sequence[Outcome]) -> str:
    rows = [("incident", "alert", "were", "too short", "found", "median", "worst", "threshold", "fired again")]
    delays = _delays(outcomes)
    for kind, expected in EXPECTED.items():
        of_kind = [one for one in outcomes if one.incident.kind == kind]
        if not of_kind:
            continue
        found = delays.get(kind, [])
        short = sum(one.short and one.delay is None for one in of_kind)
        rows.append(
            (
                kind,
                " or ".join(expected.alerts),
                str(len(of_kind)),
                str(short),
                str(len(found)),
                _span(median(found)) if found else "-",
                _span(max(found)) if found else "-",
                _span(expected.within),
                str(sum(max(0, one.fired - 1) for one in of_kind)),
            )
        )
    return "Incidents, and how long it took to find them\n" + _table(rows)


def _alerts(found: Verdict) -> str:
    false = Counter(one.alert for one in found.false)
    rows: list[tuple[str, ...]] = [("alert", "right", "in company", "inhibited", "false")]
    for alert in sorted({*found.justified, *found.company, *found.inhibited, *false}):
        counts = (found.justified, found.company, found.inhibited, false)
        rows.append((alert, *(str(each.get(alert, 0)) for each in counts)))
    return "Alerts, and what they were worth\n" + _table(rows)


def _must_not(rows: Sequence[Row]) -> str:
    lines = [("it must not happen that", "stories", "seen")]
    lines += [(row.item.text, str(row.stories), "; ".join(row.seen) or "no") for row in rows if row.stories]
    without = sum(not row.stories for row in rows)
    return f"What must not happen ({without} more have no story here)\n{_table(lines)}"


def _storms(told: Iterable[Incident], notifications: Sequence[float]) -> str:
    rows = [("storm", "began", "notified after", "notifications in an hour", "in five hours")]
    for one in told:
        if one.kind in STORMS:
            first = next((at for at in notifications if at >= one.since), None)
            counts = [str(count(notifications, one.since, span)) for span in (HOUR, 5 * HOUR)]
            rows.append((one.kind, _when(one.since), "-" if first is None else _span(first - one.since), *counts))
    return "Storms\n" + _table(rows)


def _forgotten(outcome: Outcome, names: Mapping[str, str]) -> str:
    gaps = ", ".join(f"{gap.kind} {_when(gap.since)}" for gap in outcome.forgotten)
    return f"{_missed(outcome, names)}: after {gaps}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _list(title: str, lines: Sequence[str]) -> str:
    return f"{title}: " + ("none" if not lines else "\n  " + "\n  ".join(lines))


def _missed(outcome: Outcome, names: Mapping[str, str]) -> str:
    one = outcome.incident
    until = "the end" if one.until is None else _when(one.until)
    return f"{one.kind}, {_who(one.tenant_id, names)}, {_when(one.since)} to {until}"


def _false(firing: Firing, names: Mapping[str, str]) -> str:
    until = "the end" if firing.until == float("inf") else _when(firing.until)
    who = _who(firing.tenant_id, names)
    return f"{firing.severity} {firing.alert}, {who}, {_when(firing.since)} to {until}"


def _who(tenant_id: str, names: Mapping[str, str]) -> str:
    return f"{names.get(tenant_id, '?')} ({tenant_id})" if tenant_id else "the fleet"


def _when(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"


def _span(seconds: float) -> str:
    if seconds >= DAY:
        return f"{seconds / DAY:.1f} d"
    return f"{seconds / HOUR:.1f} h" if seconds >= HOUR else f"{seconds / MINUTE:.0f} min"
