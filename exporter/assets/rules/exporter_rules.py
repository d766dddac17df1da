"""The alerts about the exporter itself: while one fires, other alerts may be late or wrong."""

from __future__ import annotations

from exporter.assets.rules.facts import COLLECTOR_FAILING, SCOPES, Source
from exporter.assets.rules.problems import unreachable_since
from exporter.assets.rules.promql import block, lines, number, seconds, short
from exporter.assets.rules.rule import Alert, Group, Recording
from exporter.thresholds import MINUTE

_SHARD = "kimono_exporter_shard_info"
TENANTS, TENANTS_OF = "kimono:tenants:count", "kimono:tenants_of_integration:count"
_UNREACHABLE = "kimono:tenants_unreachable:ratio"
_BUILD = "kimono_exporter_build_info"
JOIN_SHARD = "* on (job, instance) group_left (shard) kimono:exporter_shard:info"
_EXPORTER, _FLEET = "d/kimono-exporter", "d/kimono-fleet"


def shards() -> Recording:
    """The shard of each exporter. Exporters of older versions have none: all of them are replicas."""
    last = "group by (job, instance, shard) (last_over_time({}[10m]))".format
    return Recording(
        "kimono:exporter_shard:info",
        lines(
            f"group by (job, instance, shard) ({_SHARD})",
            f"or on (job, instance) (group by (job, instance) ({_BUILD}))",
            f"or on (job, instance) ({last(_SHARD)}",
            f"  unless on (job, instance) count by (job, instance) ({last(_SHARD)}) > 1)",
            f"or on (job, instance) {last(_BUILD)}",
        ),
        "The shard of each exporter, also of one that has just vanished. Exporters of one shard are replicas.",
    )


def group(of: Source) -> Group:
    """The group of these rules."""
    rules = (shards(), _down(), _shard_missing(), _restarting(of), _discovery(), _behind(of), _throttled(of))
    return Group("kimono-exporter", "Can the alerts about tenants be trusted?", rules)


def _down() -> Alert:
    return Alert(
        "KimonoExporterDown",
        "critical",
        short(
            f"group by (job) (last_over_time({_BUILD}[1d])) unless on (job) {_BUILD}\n"
            f"or absent(last_over_time({_BUILD}[1d]))",
        ),
        "No Kimono exporter can be scraped",
        'No exporter of the job {{ or $labels.job "kimono" }} has answered a scrape for 5 minutes. Its tenants are not '
        "watched: a sync that fails for a school is not noticed.",
        _EXPORTER,
        "A job that had an exporter within a day has none now, or there has been none at all.",
        (5 * MINUTE, "several scrapes, and time for a restart"),
        keep=None,
    )


def _shard_missing() -> Alert:
    # A label is no number: what is counted becomes a label, which is compared with `shards`.
    any_total, one_total = f"group by (job, shard) ({_SHARD})", f"group by (job, shard, shards) ({_SHARD})"
    counts = f"count by (job) ({any_total}) or count by (job, shards) ({one_total})"
    return Alert(
        "KimonoShardMissing",
        "critical",
        lines(
            f"group by (job) ({_SHARD}) unless on (job) (",
            f'  {_SHARD} and on (job, shards) count_values by (job) ("shards", {counts})',
            ")",
        ),
        "A shard of the Kimono exporters is missing",
        "At least one shard of the job {{ $labels.job }} has had no exporter that answers scrapes for 10 minutes. Its "
        "tenants are not watched: a sync that fails for a school is not noticed.",
        _EXPORTER,
        "Fewer shards are there than `shards` says. While that changes, exporters with the old number count as well.",
        (10 * MINUTE, "a restart, or a node that fails"),
    )


def _restarting(of: Source) -> Alert:
    often = lines(
        f"changes(process_start_time_seconds[1h]) >= {number(of.limit('exporter_restarts'))}",
        "or on (job, instance)",
        f"(resets(up[1h]) >= 2 and avg_over_time(up[1h]) < {number(of.limit('exporter_up'))})",
    )
    return Alert(
        "KimonoExporterRestarting",
        "warning",
        block(
            lines(block(often), f"and on (job, instance) last_over_time({_BUILD}[1h])"),
            "group by (job)",
        ),
        "A Kimono exporter keeps restarting or failing scrapes",
        "An exporter of the job {{ $labels.job }} has restarted, or could not be scraped, repeatedly in the last "
        "hour. Alerts about tenants may be late: problems of schools are noticed later than usual.",
        _EXPORTER,
        "Each time, KimonoExporterDown ends before it fires. `resets(up)` counts how often scrapes began to fail.",
    )


def _discovery() -> Alert:
    return Alert(
        "KimonoDiscoveryFailing",
        "critical",
        lines(
            "min by (job) (max by (job, shard) (",
            f"  (last_over_time(kimono_up[6m]) or on (job, instance) 0 * last_over_time({_BUILD}[6m])) {JOIN_SHARD}",
            ")) == 0",
        ),
        "Discovery of Kimono tenants fails",
        "Discovery of tenants has failed for 15 minutes in every exporter of the job {{ $labels.job }}, or "
        "of one of its "
        "shards. New schools are not watched, and new credentials are not used.",
        _EXPORTER,
        "`kimono_up` is missing until the first discovery has ended. The ranges bridge restarts: `for` goes on.",
        (15 * MINUTE, "a failed discovery is tried again every 30 seconds"),
    )


def _behind(of: Source) -> Alert:
    return Alert(
        "KimonoPollingBehind",
        "warning",
        short(
            "max by (job) (min by (job, shard) (\n"
            f"  max by (job, instance) (kimono_exporter_poll_lag_seconds) {JOIN_SHARD}\n"
            f")) > {seconds(of.limit('polling_behind'))}",
        ),
        "Kimono tenants are polled late",
        "The most overdue poll of the job {{ $labels.job }} is {{ $value | humanizeDuration }} behind its "
        "interval. Data "
        "of some tenants are out of date: problems of schools are noticed late.",
        _EXPORTER,
        wait=(15 * MINUTE, "the first polls after a start may take so long"),
    )


def _throttled(of: Source) -> Alert:
    return Alert(
        "KimonoApiThrottled",
        "warning",
        short(
            'sum by (job) (increase(kimono_exporter_api_requests_total{code="429"}[20m]))\n'
            "  / sum by (job) (increase(kimono_exporter_api_requests_total[20m]))\n"
            f"  > {number(of.limit('api_throttled'))}",
        ),
        "The Interop API throttles the Kimono exporter",
        "{{ $value | humanizePercentage }} of the requests of the job {{ $labels.job }} have been rejected "
        "with 429 for "
        "30 minutes. Polls run late: problems of schools are noticed late.",
        _EXPORTER,
        "20 minutes, because the API may ask the exporter to wait for 15, in which it sends nothing.",
        (30 * MINUTE, "longer than the window: one burst is not enough"),
    )


def tenants() -> tuple[Recording, Recording]:
    """How many tenants are watched: of a job, and of each of its integrations and clouds."""
    return (
        Recording(
            TENANTS_OF,
            f"count by (job, {SCOPES}) (group by (job, tenant_id, {SCOPES}) (kimono_tenant_info))",
            "How many tenants are watched: each once. One to which replicas give two integrations counts for both.",
        ),
        Recording(TENANTS, f"sum by (job) ({TENANTS_OF})"),
    )


def many_unreachable(of: Source) -> str:
    """Jobs of which so many tenants can't be polled that single ones don't matter."""
    return f"{_UNREACHABLE} >= {number(of.limit('tenants_unreachable'))}"


def unreachable_tenants(of: Source) -> tuple[Recording, Alert]:
    """The share of tenants that can't be polled, and the alert about it."""
    # A slow collector alone may just not have polled since the end of an outage.
    several = f"count by (job, tenant_id) ({COLLECTOR_FAILING}) > 1"
    many = block(lines(unreachable_since(of), f"or {several}"), "count by (job)")
    return (
        Recording(
            _UNREACHABLE,
            f"({many} > 1) / on (job) {TENANTS}",
            "The share of tenants that can't be polled. They count sooner than they would alert: of many, none alerts.",
        ),
        Alert(
            "KimonoManyTenantsUnreachable",
            "critical",
            many_unreachable(of),
            "Many Kimono tenants can't be polled",
            "{{ $value | humanizePercentage }} of the tenants of the job {{ $labels.job }} can't be polled. Their data "
            "are out of date, and problems of these schools raise no alert.",
            _FLEET,
        ),
    )
