"""Gives the dashboards other links and thresholds, without Grafana's builders that made them.

The dashboards contain the expressions of the problems, word for word. So those can be replaced as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from exporter.assets.links import LINKS, Links
from exporter.assets.rules.facts import Source, late
from exporter.assets.rules.problems import PROBLEMS
from exporter.assets.rules.promql import ago, in_one_line, number
from exporter.thresholds import DEFAULTS

# The name of the alert in a row of a table, as Grafana's links write it.
ALERT = "${__data.fields.alertname}"
JOB = 'job=~"$job"'
# One exporter of several that poll the same tenants.
REPLICA = f'{JOB},instance=~"$replica"'
# Of one tenant over time: instances may have had other names.
TENANT_HISTORY = f'{JOB},tenant_id="$tenant"'
# Series that are compared with a threshold outside of the problems.
COMPARED = {
    "mass_change_pending_critical": (
        f'kimono_tenant_state_since_timestamp_seconds{{{REPLICA},flag="mass_change_pending"}}'
    ),
    "tenants_unreachable_after": f"kimono_tenant_failure_since_timestamp_seconds{{{REPLICA}}}",
    "sync_overdue": f"kimono_schedule_last_due_timestamp_seconds{{{TENANT_HISTORY}}}",
}
_CRITICAL_LATER = {"failing": "ingestions_failing_critical", "mass_change": "mass_change_pending_critical"}


def problem(name: str, of: Source) -> str:
    """Since when (Unix seconds) tenants have a problem, by (job, tenant_id)."""
    return in_one_line(PROBLEMS[name](of))


def critical(name: str, of: Source) -> str:
    """The same for so long that its alert is critical. The alert also waits for a run under way, and for a pause."""
    return f"({problem(name, of)}) < {ago(of.limit(_CRITICAL_LATER[name]))}"


def older(name: str, of: Source) -> str:
    """Those of a series in COMPARED that are older than its threshold says."""
    return f"{COMPARED[name]} < time() - {number(of.limit(name))}"


def changed(dashboard: str, thresholds: Mapping[str, float], links: Links) -> str:
    """A dashboard's JSON with these links, and with these thresholds (in their units) for the problems of tenants.

    The steps of colours, and the numbers in texts, stay.
    """
    before, after = _texts(DEFAULTS, LINKS), _texts(thresholds, links)
    replaced = {one: other for one, other in zip(before, after, strict=True) if one != other}
    if not replaced:
        return dashboard
    longest_first = sorted(replaced, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), lambda match: replaced[match[0]], dashboard)


def _texts(thresholds: Mapping[str, float], links: Links) -> list[str]:
    """What depends on the choices, as JSON has it."""
    of = Source(REPLICA, thresholds=thresholds)
    return [json.dumps(text)[1:-1] for text in (links.alert_page(ALERT), *_expressions(of))]


def _expressions(of: Source) -> Iterator[str]:
    yield late(of)
    for name in PROBLEMS:
        yield problem(name, of)
    for name in _CRITICAL_LATER:
        yield critical(name, of)
    for name in COMPARED:
        yield older(name, of)
