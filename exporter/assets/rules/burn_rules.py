"""The error budget of the fleet's ingestions: how fast it burns, with several windows, as in the SRE workbook."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.assets.rules.exporter_rules import JOIN_SHARD, TENANTS
from exporter.assets.rules.facts import Source
from exporter.assets.rules.promql import block, lines, number, rounded
from exporter.assets.rules.recorded import PROBLEM
from exporter.assets.rules.rule import Recording


@dataclass(frozen=True)
class Window:
    """The error budget burns `rate` times too fast if it does so over the long window, and in the short one still."""

    long: str
    short: str
    rate: float
    severity: str


WINDOWS = (
    Window("1h", "5m", 14.4, "critical"),
    Window("6h", "30m", 6, "critical"),
    Window("1d", "2h", 3, "warning"),
    Window("3d", "6h", 1, "warning"),
)
_FINISHED = "kimono:ingestions_finished:increase5m"


def ratios() -> tuple[Recording, ...]:
    """The shares of bad ends in each window."""
    each = block(
        lines(
            "sum by (job, state, instance) (",
            '  increase(kimono_ingestion_duration_seconds_count{state=~"success|failed|timeout"}[5m])',
            f") {JOIN_SHARD}",
        ),
        "sum by (job, state) (max by (job, shard, state)",
    )
    finished = Recording(
        _FINISHED,
        f"{each})",
        "Ends of ingestions in five minutes, of the replica that saw most; cancelled ones do not count. The longer "
        "windows add these up, so that they outlast an exporter that comes back under another name.",
    )
    windows = sorted({name for window in WINDOWS for name in (window.long, window.short)}, key=_minutes)
    return (finished, *(_ratio(window) for window in windows))


def burning(of: Source, severity: str) -> str:
    """The shares of bad ends of jobs whose error budget burns, and in which several tenants wait for a good end."""
    allowed = 1 - of.limit("ingestions_objective")

    def above(window: str, rate: float) -> str:
        return f"{_name(window)} > {number(rounded(rate * allowed))}"

    pairs = [
        f"({above(one.long, one.rate)} and {above(one.short, one.rate)})" for one in WINDOWS if one.severity == severity
    ]
    failing = f'count by (job) ({PROBLEM}{{problem="failing"}})'
    return lines(
        f"({' or '.join(pairs)})",
        f"and ({failing} >= {number(of.limit('fleet_tenants'))}) / {TENANTS} > {number(rounded(allowed))}",
    )


def _ratio(window: str) -> Recording:
    good_and_bad = f"sum_over_time({_FINISHED}{{}}[{window}])" if window != "5m" else f"{_FINISHED}{{}}"
    bad = good_and_bad.replace("{}", '{state!="success"}')
    total = good_and_bad.replace("{}", "")
    return Recording(_name(window), f"sum by (job) ({bad}) / (sum by (job) ({total}) > 0)")


def _name(window: str) -> str:
    return f"kimono:ingestions_failed:ratio_rate{window}"


def _minutes(window: str) -> int:
    return int(window[:-1]) * {"m": 1, "h": 60, "d": 1440}[window[-1]]
