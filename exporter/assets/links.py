"""Defines where the links in rules and dashboards lead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Links:
    """The bases of the links in alerts: where runbooks and Grafana are, without a slash at the end."""

    runbooks: str
    dashboards: str


LINKS = Links(
    runbooks="https://git.example.org/kimono-exporter/blob/main/docs/runbooks", dashboards="https://grafana.example.org"
)
