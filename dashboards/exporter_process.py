"""Defines the panels of Kimono / Exporter about the exporters' processes."""

from __future__ import annotations

from dashboards.exporter_common import CHOSEN, of_exporters, panel_per_exporter, uptime_query
from dashboards.panels import SECONDS, Panel


def memory() -> Panel:
    """Resident memory."""
    return panel_per_exporter(
        "Memory",
        "Grows with the number of tenants, and then stays. If it goes on growing, restart it, and report it.",
        of_exporters(f"process_resident_memory_bytes{{{CHOSEN}}}"),
        unit="bytes",
    )


def cpu() -> Panel:
    """CPU time."""
    return panel_per_exporter(
        "Processor time",
        "An exporter uses one core at most. Near 100 %, pages and polls come late: give it a faster core, or fewer "
        "tenants.",
        of_exporters(f"rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval])"),
        unit="percentunit",
    )


def event_loop() -> Panel:
    """How late the event loop is."""
    return panel_per_exporter(
        "Event loop lag",
        "The longest that it was late within a minute. Above a second: the process lacks processor time; raise its "
        "CPU limit.",
        f"max by (job, instance) (kimono_exporter_event_loop_lag_seconds{{{CHOSEN}}})",
        unit=SECONDS,
    ).axis_soft_max(0.1)


def open_files() -> Panel:
    """Open files and connections."""
    return panel_per_exporter(
        "Open files and connections",
        "About api.concurrency and a few more. If it goes on growing, restart it, and report it.",
        of_exporters(f"process_open_fds{{{CHOSEN}}}"),
        decimals=0,
    )


def uptime() -> Panel:
    """Time since the start: a fall is a restart."""
    return panel_per_exporter(
        "Time since the start",
        "Where a line falls, the exporter was restarted. If that happens again and again, read the end of its log; "
        "see whether memory ran out.",
        uptime_query(),
        unit=SECONDS,
    )


def scrape_duration() -> Panel:
    """How long a scrape takes."""
    return panel_per_exporter(
        "Time to scrape",
        "Must stay well below Prometheus' scrape_timeout, or the exporter counts as down. Raise that if it is near.",
        of_exporters(f"scrape_duration_seconds{{{CHOSEN}}}"),
        unit=SECONDS,
    )
