"""Simulates a night in which tenants get into trouble for one cause, and evaluates rules on it: which alerts fire?

The simulated hub, the real exporter, and the rules in Prometheus' own engine. The storm begins at 22:55, before the
first schedules of the night. `causes.py` is the quick way to alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from exporter.simulator import Simulator
from exporter.thresholds import HOUR, MINUTE
from tests.support.backtest import engine
from tests.support.backtest.engine import Firing
from tests.support.backtest.recording import record
from tests.support.backtest.scenario import Scenario, ScriptedStory, moment

STARTS = moment("21h", 1_792_454_400.0)  # Tuesday, 2026-10-20, 21:00 UTC
BEGINS = STARTS + 2 * HOUR - 5 * MINUTE
# The five hours that count begin with the first alert.
_COUNTED = 5 * HOUR + 10 * MINUTE
_CLOUDS_OF = 3  # tenants: too few for an alert about the cloud


@dataclass(frozen=True)
class Cause:
    """The stories of the tenants in trouble, in turn; how soon the first alert fires; and what they have in common."""

    kinds: tuple[str, ...]
    within: float
    together: Callable[[Simulator, int], None] | None = None
    # Seconds over which the trouble begins, tenant by tenant.
    over: float = 0.0


def _one_integration(simulator: Simulator, count: int) -> None:
    """The first tenants have one integration, and the others do not have it."""
    ours, other, *_ = simulator.inventory.integrations.values()
    for number, tenant in enumerate(simulator.inventory.tenants.values()):
        if number < count:
            tenant.integration = ours
        elif tenant.integration is ours:
            tenant.integration = other


def _one_cloud(simulator: Simulator, count: int) -> None:
    first, *others = list(simulator.inventory.tenants.values())[:count]
    for tenant in others:
        tenant.cloud, tenant.account = first.cloud, first.account


def _one_account(simulator: Simulator, count: int) -> None:
    """The customer has many clouds."""
    concerned = list(simulator.inventory.tenants.values())[:count]
    for number, tenant in enumerate(concerned):
        tenant.cloud = concerned[number - number % _CLOUDS_OF].cloud
        tenant.account = concerned[0].account


def _through_the_night(simulator: Simulator, _: int) -> None:
    """Schedules are due at each full hour from 23:00 to 03:00."""
    for number, tenant_id in enumerate(simulator.inventory.tenants):
        schedules = simulator.tenant(tenant_id).schedules
        for schedule in schedules.all:
            schedules.set_hour(schedule, (23 + number % 5) % 24)


RECORDED: Mapping[str, Cause] = {
    "scheduler": Cause(("overdue",), 2.5 * HOUR, _through_the_night),
    "workers hang": Cause(("stalled",), 6.5 * HOUR, over=5 * HOUR),
    "workers fail": Cause(("failing",), HOUR),
    "integration": Cause(("failing", "application_auth"), HOUR, _one_integration),
    "cloud": Cause(("overdue", "failing"), 2.5 * HOUR, _one_cloud),
    "account": Cause(("failing", "credentials_rejected"), HOUR, _one_account),
    "API": Cause(("unreachable",), HOUR),
    "expired credentials": Cause(("credentials_rejected",), HOUR, over=4 * HOUR),
    "mass changes": Cause(("mass_change",), 1.5 * HOUR, over=6 * HOUR),
    "slowly growing": Cause(("stalled",), 6.5 * HOUR, over=10 * HOUR),
}


def recorded(cause: str, count: int, fleet: int, rules: Sequence[Path], *, interval: str = "1m") -> list[list[Firing]]:
    """The alerts of each file of rules, from the beginning of the storm on. Raises engine.NoEngineError.

    So many of the first tenants of the fleet are in trouble.
    """
    chosen = RECORDED[cause]
    ends = BEGINS + chosen.within + _COUNTED
    scenario = Scenario(starts=STARTS, ends=ends, tenants=fleet, stories=_stories(chosen, count))
    with ExitStack() as stack:
        running = [stack.enter_context(engine.started(engine.build(), file, interval)) for file in rules]
        out = cast("IO[str]", _Tee([one.input for one in running]))
        record(scenario, out, prepare=lambda simulator: chosen.together and chosen.together(simulator, count))
        evaluated = [one.finish() for one in running]
    return [[firing for firing in one.firings if firing.since >= BEGINS] for one in evaluated]


def _stories(cause: Cause, count: int) -> list[ScriptedStory]:
    return sorted(
        (
            ScriptedStory(
                cause.kinds[tenant % len(cause.kinds)],
                tenant,
                BEGINS + cause.over * (tenant // len(cause.kinds)) * len(cause.kinds) / count // MINUTE * MINUTE,
                BEGINS + 2 * 24 * HOUR,
            )
            for tenant in range(count)
        ),
        key=lambda one: one.begins,
    )


class _Tee:
    """Writes to several files at once."""

    def __init__(self, files: Sequence[IO[str]]) -> None:
        self._files = files

    def write(self, text: str) -> None:
        for file in self._files:
            file.write(text)
