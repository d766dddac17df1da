"""Lists all drills, and what can't be one, and finds a drill by its name."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from exporter.drills.drill import Drill
from exporter.drills.fleet_drills import FLEET_DRILLS
from exporter.drills.tenant_drills import TENANT_DRILLS

# Of the names that an error suggests: how many, and how long the part must be that they contain.
_NEAR, _SHORTEST_PART = 3, 3
DRILLS: Mapping[str, Drill] = {drill.name: drill for drill in TENANT_DRILLS + FLEET_DRILLS}

# Alerts that no drill can fire, and kinds of incidents of the backtest without a drill of their own, with the reason.
NOT_POSSIBLE: Mapping[str, str] = {
    "KimonoExporterDown": "the demo is the exporter: if it were down, no drill could end. Stop the exporter instead",
    "KimonoExporterRestarting": "it takes four restarts of the exporter within an hour",
    "KimonoShardMissing": "the demo has one exporter, and so no shards",
    "fails_once": "to the exporter, it is the drill `failing` until the next run succeeds",
    "dormant_and_suspended": "it takes five days of nightly suspensions; see `dormant`",
    "suspended_when_due": "it takes five days of nightly suspensions; see `dormant`",
}


class UnknownDrillError(Exception):
    """There is no such drill; `str()` names those with a similar name."""


def find(name: str) -> Drill:
    """The drill of this name, with hyphens or underscores; raises UnknownDrillError."""
    known = name.replace("-", "_")
    if known in DRILLS:
        return DRILLS[known]
    if name in NOT_POSSIBLE:
        raise UnknownDrillError(f"there is no drill for {name}: {NOT_POSSIBLE[name]}")
    near = _near(known)
    hint = f"did you mean {' or '.join(near)}?" if near else "'kimono-exporter drill --list' lists all"
    raise UnknownDrillError(f"there is no such drill; {hint}")


def _near(name: str) -> list[str]:
    """Names like this one: those of alerts, parts of names, and misspelt names."""
    of_alert = [each.name for each in DRILLS.values() if each.alert == name]
    parts = [each for each in DRILLS if len(name) > _SHORTEST_PART and name in each]
    return (of_alert or parts or get_close_matches(name.lower(), list(DRILLS), n=_NEAR))[:_NEAR]
