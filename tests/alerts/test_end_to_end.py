"""Tests that the right receiver gets one notification of each incident and one of its end, in real programs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import Simulator
from tests.support.processes import answers, environment, eventually, free_port, kimono, needed, running, served
from tests.support.webhook import Webhook, listening

pytestmark = pytest.mark.slow

ALERTS = Path(__file__).parents[2] / "alerts"
PROMETHEUS = """
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: ["{rules}"]
scrape_configs:
  - job_name: kimono
    static_configs: [{{targets: ["{exporter}"]}}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{alertmanager}"]}}]
"""
HOUR = 3600


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listening() as one:
        yield one


def hurried_rules() -> str:
    """The shipped rules in the time of a test: evaluated each second, and a mass change is pending after five."""
    text = (ALERTS / "kimono.rules.yaml").read_text()
    text = text.replace("interval: 1m", "interval: 1s").replace("keep_firing_for: 15m", "keep_firing_for: 3s")
    pending = re.compile(r'(flag(?:="mass_change_pending"|!="rollover_mode_enabled")} < time\(\) - )60 \* 60')
    text, replaced = pending.subn(r"\g<1>5", text)
    assert replaced == 2
    return text


def hurried_alertmanager(webhook: Webhook) -> str:
    """The shipped configuration, told to our webhook and without its long waits."""
    text = (ALERTS / "alertmanager.example.yaml").read_text().replace("http://127.0.0.1:9095", webhook.url)
    return re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", text)


@pytest.fixture
def hub(tmp_path: Path, webhook: Webhook) -> Iterator[Simulator]:
    """A healthy fleet that is watched by the whole chain."""
    prometheus, alertmanager = needed("prometheus"), needed("prometheus-alertmanager")
    simulator = Simulator(tenants=4, stories=[])
    ports = [free_port() for _ in range(3)]
    exporter, scraper, manager = (f"127.0.0.1:{port}" for port in ports)
    (tmp_path / "rules.yaml").write_text(hurried_rules())
    config = PROMETHEUS.format(rules=tmp_path / "rules.yaml", exporter=exporter, alertmanager=manager)
    (tmp_path / "prometheus.yaml").write_text(config)
    (tmp_path / "alertmanager.yaml").write_text(hurried_alertmanager(webhook))
    intervals = {f"KIMONO_COLLECTORS_{name}_INTERVAL": "1s" for name in ("STATE", "INGESTIONS")}
    with (
        served(simulator) as url,
        running(
            kimono("run"),
            environment(simulator, url, KIMONO_WEB_LISTEN_ADDRESS=exporter, **intervals),
            tmp_path / "exporter",
        ),
        running(
            [
                alertmanager,
                f"--config.file={tmp_path / 'alertmanager.yaml'}",
                f"--storage.path={tmp_path / 'manager'}",
                f"--web.listen-address={manager}",
                "--cluster.listen-address=",
            ],
            {},
            tmp_path / "alertmanager",
        ),
    ):
        eventually(lambda: answers(f"http://{exporter}/-/ready"))
        eventually(lambda: answers(f"http://{manager}/-/ready"))
        command = [
            prometheus,
            f"--config.file={tmp_path / 'prometheus.yaml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={scraper}",
        ]
        with running(command, {}, tmp_path / "prometheus"):
            eventually(lambda: answers(f"http://{scraper}/-/ready"))
            yield simulator


def test_two_incidents_are_told_once_each_to_the_right_one_and_then_that_they_are_over(
    hub: Simulator, webhook: Webhook
) -> None:
    held, stalled, *_ = hub.tenants()
    hub.set_flag(held.id, "mass_change_pending", on=True)
    stuck = hub.start_ingestion(stalled.id, state="executing", started_at=hub.now() - 7 * HOUR)
    expected = [("on-call", "KimonoIngestionStalled"), ("working-hours", "KimonoMassChangePending")]

    eventually(lambda: len(webhook.names("firing")) >= 2, 60)
    assert webhook.names("firing") == expected
    for (_, alert), tenant in zip(sorted(webhook.alerts, key=lambda one: one[0]), (stalled, held), strict=True):
        labels, annotations = alert["labels"], alert["annotations"]
        name = labels["alertname"]
        assert labels["severity"] == ("critical" if name == "KimonoIngestionStalled" else "warning")
        assert (labels["tenant_id"], labels["tenant_name"]) == (tenant.id, tenant.name)
        assert (labels["account_name"], labels["integration"]) == (tenant.account_name, tenant.integration)
        assert "instance" not in labels
        assert tenant.name in annotations["description"]
        assert annotations["runbook_url"] == f"runbooks/{name}.md"
        assert annotations["dashboard_url"].endswith(f"var-tenant={tenant.id}")

    hub.set_flag(held.id, "mass_change_pending", on=False)
    hub.finish_ingestion(stalled.id, stuck)
    eventually(lambda: len(webhook.names("resolved")) >= 2, 60)
    assert webhook.names("resolved") == expected
    assert webhook.names("firing") == expected, "told once, and not again"
