"""Writes the rules as the files that Prometheus and its operator read."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent

from exporter.assets.links import LINKS, Links
from exporter.assets.rules import exporter_rules, tenant_rules
from exporter.assets.rules.facts import Source
from exporter.assets.rules.rule import Group, rendered
from exporter.assets.speed import Speed
from exporter.thresholds import DEFAULTS

RULES = "kimono.rules.yaml"
PROMETHEUS_RULE = "kimono.prometheusrule.yaml"
_HEAD = (
    "Made by `kimono-exporter assets`, which has options for the links and thresholds: see `--help`. Do not edit.",
    "Needs Prometheus 2.42 or newer (`keep_firing_for`), or Mimir, Thanos Ruler or VictoriaMetrics of that age.",
    "- An alert compares what the exporter knows, mostly since when something is so, with a threshold.",
    "- No result has the label `instance`: several replicas raise one alert.",
    "- `keep_firing_for` bridges restarts of the exporter and missed scrapes: an alert resolves 15 minutes late.",
)
_OPERATOR = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: kimono-exporter
  labels:
    app.kubernetes.io/name: kimono-exporter
spec:
"""


def rule_files(thresholds: Mapping[str, float] = DEFAULTS, links: Links = LINKS) -> Mapping[str, str]:
    """The files by name: the rules, and the same as a PrometheusRule of the Prometheus operator."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in _HEAD)
    groups = rules_text(thresholds, links)
    return {RULES: head + groups, PROMETHEUS_RULE: head + _OPERATOR + indent(groups, "  ")}


def rules_text(thresholds: Mapping[str, float] = DEFAULTS, links: Links = LINKS, speed: Speed | None = None) -> str:
    """The rules as YAML that Prometheus reads.

    `thresholds` has all of them, in their units, at normal speed. `speed` divides them, the times of `for` and
    `keep_firing_for`, and the interval of evaluations.
    """
    speed = speed or Speed()
    of = Source(recorded=True, thresholds=speed.thresholds(thresholds))
    return rendered(_groups(of), links, speed)


def _groups(of: Source) -> tuple[Group, ...]:
    """The groups, in the order in which they need each other."""
    return (exporter_rules.group(of), tenant_rules.group(of))
