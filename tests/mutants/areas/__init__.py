"""Lists the mutants, by area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.mutants.areas import (
    alertmanager,
    api,
    assets,
    chart,
    collectors,
    command_line,
    dashboards,
    demo,
    drills,
    history,
    polling,
    priorities,
    problems,
    process,
    release,
    reliability,
    rules,
    settings,
    shards,
    simulator,
    site,
    state,
    store,
    web,
)
from tests.mutants.mutant import Mutant

AREAS: Mapping[str, Sequence[Mutant]] = {
    "api": api.MUTANTS,
    "polling": polling.MUTANTS,
    "priorities": priorities.MUTANTS,
    "problems": problems.MUTANTS,
    "store": store.MUTANTS,
    "state": state.MUTANTS,
    "collectors": collectors.MUTANTS,
    "history": history.MUTANTS,
    "assets": assets.MUTANTS,
    "chart": chart.MUTANTS,
    "rules": (*rules.MUTANTS, *alertmanager.MUTANTS),
    "dashboards": dashboards.MUTANTS,
    "demo": demo.MUTANTS,
    "drills": drills.MUTANTS,
    "settings": settings.MUTANTS,
    "shards": shards.MUTANTS,
    "process": process.MUTANTS,
    "command_line": command_line.MUTANTS,
    "web": web.MUTANTS,
    "simulator": simulator.MUTANTS,
    "site": site.MUTANTS,
    "reliability": reliability.MUTANTS,
    "release": release.MUTANTS,
}
