"""Lists the mutants, by area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.mutants.areas import (
    alertmanager,
    api,
    collectors,
    dashboards,
    polling,
    rules,
    settings,
    simulator,
    store,
    web,
)
from tests.mutants.mutant import Mutant

AREAS: Mapping[str, Sequence[Mutant]] = {
    "api": api.MUTANTS,
    "polling": polling.MUTANTS,
    "store": store.MUTANTS,
    "collectors": collectors.MUTANTS,
    "rules": (*rules.MUTANTS, *alertmanager.MUTANTS),
    "dashboards": dashboards.MUTANTS,
    "settings": settings.MUTANTS,
    "web": web.MUTANTS,
    "simulator": simulator.MUTANTS,
}
