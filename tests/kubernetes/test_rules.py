"""Tests that rules and dashboards of the chart are those that `kimono-exporter assets` writes, for any threshold."""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from deploy.chart.values import IN_RULES, in_camel_case
from exporter.assets import assets
from exporter.assets.options import add_options, choices
from exporter.assets.rules.promql import in_one_line
from exporter.thresholds import THRESHOLDS
from tests.support.kubernetes.rendering import WITH_SECRET, RefusedError, of_kind, only, template
from tests.support.processes import needed

RUNBOOKS, GRAFANA = "https://wiki.example.net/runbooks", "https://grafana.example.net"
# Of each unit one that other numbers are computed from, and one that decides which of two is less.
ONE_EACH = [
    {"sync_overdue": "4h"},
    {"sync_overdue": "90m", "rollover": "5400"},
    {"ingestion_stalled": "1h", "bulk_ingestion_stalled": "1h30m", "after_pause": "2h"},
    {"ingestions_objective": "0.9", "fleet_share": "0.35", "fleet_tenants": "12"},
    {"ingestions_objective": "0.9987", "fleet_share": "0.05", "tenants_unreachable": "0.125"},
    {"setup_mode": "1m", "sync_suspended": "3d"},
    {"sync_stale": "1y2w3d4h5m6s", "data_age": "61"},
]
# Every one is another than by default. A duration of each is in other units, and none is twice another.
ALL_OTHERS = {
    name: {"seconds": f"{2 + 3 * number}h{7 + number}m", "ratio": f"0.{11 + number}", "count": str(number + 9)}[
        one.unit
    ]
    for number, (name, one) in enumerate(IN_RULES.items())
}


def of_assets(thresholds: Mapping[str, str], runbooks: str = RUNBOOKS, grafana: str = GRAFANA) -> Mapping[str, str]:
    """The files of `kimono-exporter assets --threshold …`."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    each = [option for name, value in thresholds.items() for option in ("--threshold", f"{name}={value}")]
    return assets(choices(parser.parse_args(["--runbook-url", runbooks, "--dashboard-url", grafana, *each])))


def of_chart(thresholds: Mapping[str, str], **links: str) -> list[Mapping[str, Any]]:
    """The objects of `helm template --set prometheusRule.thresholds.…`."""
    chosen = links or {"runbookUrl": RUNBOOKS, "dashboardUrl": GRAFANA}
    values = {**WITH_SECRET, "prometheusRule": {"enabled": True, **chosen}, "dashboards": {"enabled": True}}
    each = [
        option
        for name, value in thresholds.items()
        for option in ("--set", f"prometheusRule.thresholds.{in_camel_case(name)}={value}")
    ]
    return template(values, *each)


def same_lines(groups: Any) -> Any:
    """The groups without the line breaks of expressions: they depend on the length of numbers."""
    for group in groups:
        for rule in group["rules"]:
            rule["expr"] = in_one_line(rule["expr"])
    return groups


def boards(files: Mapping[str, str]) -> dict[str, Any]:
    paths = [path for path in files if path.startswith("dashboards/")]
    return {path.removeprefix("dashboards/"): json.loads(files[path]) for path in paths}


def boards_of_chart(found: list[Mapping[str, Any]]) -> dict[str, Any]:
    maps = [each for each in of_kind(found, "ConfigMap") if each["metadata"]["labels"].get("grafana_dashboard") == "1"]
    return {name: json.loads(text) for each in maps for name, text in each["data"].items()}


def test_with_the_defaults_the_rules_are_the_same_to_the_letter() -> None:
    found = of_chart({})
    written = of_assets({})
    assert only(found, "PrometheusRule")["spec"] == yaml.safe_load(written["alerts/kimono.rules.yaml"])
    assert boards_of_chart(found) == boards(written)


@pytest.mark.parametrize("thresholds", [*ONE_EACH, ALL_OTHERS], ids=lambda chosen: ",".join(chosen)[:60])
def test_rules_and_dashboards_are_those_of_assets(thresholds: dict[str, str]) -> None:
    found = of_chart(thresholds)
    written = of_assets(thresholds)
    in_chart = same_lines(only(found, "PrometheusRule")["spec"]["groups"])
    assert in_chart == same_lines(yaml.safe_load(written["alerts/kimono.rules.yaml"])["groups"])
    assert in_chart != same_lines(yaml.safe_load(of_assets({})["alerts/kimono.rules.yaml"])["groups"])
    assert boards_of_chart(found) == boards(written)


def test_the_chart_has_the_thresholds_that_change_the_rules() -> None:
    """So ALL_OTHERS would show a threshold that the chart does not fill in."""
    default = of_assets({})["alerts/kimono.rules.yaml"]
    others = {**ALL_OTHERS, **dict.fromkeys(THRESHOLDS.keys() - IN_RULES.keys(), "1h1m")}
    changed = {
        name for name, value in others.items() if of_assets({name: value})["alerts/kimono.rules.yaml"] != default
    }
    assert changed == IN_RULES.keys()


def test_numbers_of_yaml_are_as_good_as_texts() -> None:
    values = {
        **WITH_SECRET,
        "prometheusRule": {"enabled": True, "thresholds": {"syncStale": 777_600, "fleetShare": 0.4}},
    }
    assert only(template(values), "PrometheusRule") == only(
        template(
            {**values, "prometheusRule": {"enabled": True, "thresholds": {"syncStale": "9d", "fleetShare": "0.4"}}}
        ),
        "PrometheusRule",
    )


@pytest.mark.parametrize("value", ["4h ", "-4h", "4H", "4h30", "1.5h", "h", "4m3h", "59s", "4ms"])
def test_a_duration_that_assets_or_the_chart_does_not_take_is_refused(value: str) -> None:
    with pytest.raises(RefusedError, match=r"prometheusRule\.thresholds\.syncOverdue: .* is not a duration"):
        of_chart({"sync_overdue": value})


def test_without_urls_links_are_paths_of_grafana() -> None:
    found = of_chart({}, runbookUrl="")
    text = json.dumps(found)
    assert "runbook_url" not in text
    assert "<<" not in text
    alert = only(found, "PrometheusRule")["spec"]["groups"][0]["rules"][1]
    assert alert["annotations"].keys() == {"summary", "description", "dashboard_url"}
    assert alert["annotations"]["dashboard_url"] == "/d/kimono-exporter"
    assert boards_of_chart(found).keys() == boards(of_assets({})).keys()
    assert text.count("/alerting/list?search=${__data.fields.alertname}") == 4


def test_a_slash_at_the_end_of_a_url_does_not_matter() -> None:
    found = of_chart({}, runbookUrl=f"{RUNBOOKS}/", dashboardUrl=f"{GRAFANA}//")
    assert only(found, "PrometheusRule") == only(of_chart({}), "PrometheusRule")


def test_promtool_takes_the_rules_of_the_chart(tmp_path: Any) -> None:
    needed("promtool")
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(only(of_chart(ALL_OTHERS), "PrometheusRule")["spec"]))
    done = subprocess.run(["promtool", "check", "rules", str(rules)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
