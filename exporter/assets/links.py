"""Defines where the links in rules and dashboards lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Links:
    """The bases of the links in alerts: where runbooks and Grafana are, without a slash at the end.

    Without addresses `runbooks` is the folder beside `alerts/`, and `dashboards` is empty: links are paths of Grafana.
    """

    runbooks: str
    dashboards: str

    def runbook(self, alert: str) -> str:
        """The link to the runbook of an alert."""
        return f"{self.runbooks}/{alert}.md"

    def alert_page(self, alert: str) -> str:
        """Where a dashboard leads from an alert: to its runbook, or to its rule in Grafana if runbooks have no address.

        By its source code, Grafana 10.4 to 13 list the rules of a Prometheus at this path. No server was tried.
        """
        return self.runbook(alert) if "://" in self.runbooks else f"/alerting/list?search={alert}"


# Those of the committed files: they depend on no address, so that each fork and each checkout has the same ones.
LINKS = Links(runbooks="runbooks", dashboards="")


def built_links(build: Mapping[str, str]) -> Links:
    """The links of a built package: to the runbooks of its own revision, if it knows its repository."""
    source, revision = build.get("source"), build.get("revision", "").removesuffix("-modified")
    return Links(f"{source}/blob/{revision}/docs/runbooks", LINKS.dashboards) if source and revision else LINKS
