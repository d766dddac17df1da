"""Writes what a drill does, and how it goes, for the command and the page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from exporter.drills.catalog import DRILLS
from exporter.drills.drill import Drill
from exporter.drills.pace import QUICK
from exporter.drills.runs import Drills, Run
from exporter.status import PROBLEMS
from exporter.thresholds import DEFAULTS

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


@dataclass
class Places:
    """The base URLs of what a demo serves; empty if it does not, or does not yet."""

    exporter: str = ""
    prometheus: str = ""
    alertmanager: str = ""
    grafana: str = ""


def duration(seconds: float) -> str:
    """Such as `90 s` or `6 h`."""
    for unit, sign in _UNITS:
        if seconds >= unit and not seconds % unit:
            return f"{seconds / unit:g} {sign}"
    return f"{seconds:g} s"


def clock_time(at: float) -> str:
    """The time of Unix seconds, such as `12:00:00 UTC`."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S UTC")


def expectation(drill: Drill) -> str:
    """Which alert fires, and when."""
    if not drill.alert:
        return "No alert fires."
    later = f", and as {drill.later[0]} after about {drill.later[1]:g} s" if drill.later else ""
    return f"{drill.alert} ({drill.severity}) fires after about {drill.after:g} s{later}."


def shortened(drill: Drill) -> str:
    """Which thresholds the demo has shortened for it; empty if none."""
    each = (f"{name} is {duration(QUICK[name])} instead of {duration(DEFAULTS[name])}" for name in drill.shortened)
    return "; ".join(each)


def where(drill: Drill, places: Places) -> list[tuple[str, str]]:
    """What to look at, each with its address, or empty."""
    looks = []
    if drill.problem:
        looks.append((f"status page: {PROBLEMS[drill.problem]}", f"{places.exporter}/"))
    looks.append((f"metric {drill.metric}", f"{places.exporter}/metrics"))
    if places.prometheus:
        looks.append(("alerts in Prometheus", f"{places.prometheus}/alerts"))
    if places.alertmanager:
        looks.append(("alerts in Alertmanager", f"{places.alertmanager}/#/alerts"))
    # The titles are "Kimono / Fleet", the identifiers "kimono-fleet".
    board = drill.board.lower().replace(" / ", "-")
    looks.append((f"dashboard {drill.board}", f"{places.grafana}/d/{board}" if places.grafana else ""))
    return looks


def progress(run: Run, *, has_prometheus: bool) -> list[str]:
    """What has happened since the drill began, in order."""
    moments = [(run.began, "began")]
    if run.shown is not None:
        moments.append((run.shown, "the exporter's status shows the problem"))
    if run.pending is not None and run.fired != run.pending:
        moments.append((run.pending, f"{run.drill.alert} is pending"))
    if run.fired is not None:
        moments.append((run.fired, f"{run.drill.alert} fires"))
    if run.later is not None and run.drill.later and run.later != run.fired:
        moments.append((run.later, f"{run.drill.alert} fires as {run.drill.later[0]}"))
    if run.ended is not None:
        moments.append((run.ended, f"ended. {run.drill.ends}"))
    if run.gone is not None:
        moments.append((run.gone, "the exporter's status shows the problem no more"))
    if run.resolved is not None:
        moments.append((run.resolved, f"{run.drill.alert} is resolved"))
    moments.sort(key=lambda one: one[0])
    lines = [f"{clock_time(at)} ({at - run.began:.0f} s)  {what}" for at, what in moments]
    if not has_prometheus and run.drill.alert:
        lines.append("There is no Prometheus in this demo, so no alert can fire.")
    return lines


def end_by_itself(run: Run) -> str:
    """When it ends by itself; empty if it has ended."""
    return "" if run.ended is not None else f"It ends by itself at {clock_time(run.ends_at)}."


def as_json(drills: Drills, places: Places) -> dict[str, Any]:
    """All drills and runs, as JSON for the command."""
    return {
        "prometheus": bool(places.prometheus),
        "ready": drills.is_ready(),
        "drills": [drill_json(each, places) for each in DRILLS.values()],
        "runs": [run_json(each, places) for each in drills.runs],
    }


def drill_json(drill: Drill, places: Places) -> dict[str, Any]:
    """A drill as JSON."""
    return {
        "name": drill.name,
        "happens": drill.happens,
        "expect": expectation(drill),
        "alert": drill.alert,
        "problem": drill.problem,
        "after": drill.after,
        "shortened": shortened(drill),
        "where": where(drill, places),
        "ends": drill.ends,
        "lasts": drill.lasts,
    }


def run_json(run: Run, places: Places) -> dict[str, Any]:
    """A run as JSON."""
    return {
        "drill": drill_json(run.drill, places),
        "tenants": [tenant.name for tenant in run.tenants],
        "tenant_ids": [tenant.id for tenant in run.tenants],
        "alert": run.alert_state,
        "settled": run.is_settled,
        "ends": end_by_itself(run),
        "progress": progress(run, has_prometheus=bool(places.prometheus)),
        "others": sorted(run.others),
        "times": {
            name: getattr(run, name)
            for name in ("began", "shown", "pending", "fired", "later", "ended", "gone", "resolved", "ends_at")
        },
    }
