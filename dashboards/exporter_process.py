"""Defines the panels of Kimono / Exporter about the exporters' processes."""

from __future__ import annotations

from dashboards.exporter_common import BUILD, CHOSEN, of_exporters, panel_per_exporter, uptime_query
from dashboards.panels import SECONDS, Panel


def memory() -> Panel:
    """Resident memory."""
    return panel_per_exporter(
        "Memory",
        "Grows with the number of tenants, then stays constant. If it keeps growing, restart the exporter and report "
        "it.",
        of_exporters("process_resident_memory_bytes"),
        unit="bytes",
    )


def cpu() -> Panel:
    """CPU time."""
    rate = f"rate(process_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval])"
    return panel_per_exporter(
        "CPU",
        "An exporter uses at most one core. Near 100 %, scrapes and polls are late: give it a faster core, or fewer "
        "tenants.",
        f"max by (job, instance) ({rate} and on (job, instance) {BUILD})",
        unit="percentunit",
    )


def event_loop() -> Panel:
    """How late the event loop is."""
    return panel_per_exporter(
        "Event loop lag",
        "The longest delay within a minute. If it is above one second, the process lacks CPU: raise its limit.",
        f"max by (job, instance) (kimono_exporter_event_loop_lag_seconds{{{CHOSEN}}})",
        unit=SECONDS,
    ).axis_soft_max(0.1)


def open_files() -> Panel:
    """Open files and connections."""
    return panel_per_exporter(
        "Open files and connections",
        "About as many as api.concurrency. If the number keeps growing, restart the exporter and report it.",
        of_exporters("process_open_fds"),
        decimals=0,
    )


def uptime() -> Panel:
    """Time since the start: a fall is a restart."""
    return panel_per_exporter(
        "Uptime",
        "Each drop is a restart. If restarts repeat, read the end of the log, and check whether memory ran out.",
        uptime_query(),
        unit=SECONDS,
    )


def scrape_duration() -> Panel:
    """How long a scrape takes."""
    return panel_per_exporter(
        "Scrape duration",
        "Must stay well below Prometheus' scrape_timeout, or the exporter counts as down. If it is close, raise the "
        "timeout.",
        of_exporters("scrape_duration_seconds"),
        unit=SECONDS,
    )
