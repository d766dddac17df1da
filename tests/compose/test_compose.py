"""Tests that compose.yaml is valid, gives no process more rights than it needs, and mounts files that fit together."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.compose.__main__ import main
from exporter.arguments import parsed
from exporter.demo.grafana import FOR_VIEWERS
from exporter.settings import LEAVES
from tests.compose.project import ROOT, command, mounts, project, variables

SERVICES = project()["services"]
FROM_ELSEWHERE = {name: service for name, service in SERVICES.items() if name != "exporter"}
SCHEMA = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_valid_by_the_schema_of_compose() -> None:
    VALIDATOR.validate(project())


@pytest.mark.parametrize(("where", "value"), [("readonly", True), ("volumes", {"a": "b"}), ("image", 3)])
def test_the_schema_sees_a_mistake(where: str, value: object) -> None:
    wrong = project()
    wrong["services"]["grafana"][where] = value
    assert not VALIDATOR.is_valid(wrong)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"], service["security_opt"]) == (
        True,
        ["ALL"],
        ["no-new-privileges:true"],
    )
    assert not {"privileged", "user", "network_mode", "cap_add", "devices"} & service.keys()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert all(mount.read_only and mount.source.exists() for mount in mounts(service))


@pytest.mark.parametrize("service", FROM_ELSEWHERE.values(), ids=FROM_ELSEWHERE)
def test_images_of_others_have_a_version(service: Any) -> None:
    assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", service["image"])


def test_no_secret_is_in_the_file_and_the_key_is_a_secret_of_compose() -> None:
    settings = SERVICES["exporter"]["environment"]
    secrets = {leaf.env for leaf in LEAVES.values() if leaf.kind.secret}
    assert secrets
    assert not secrets & settings.keys()
    assert settings["KIMONO_API_KEY_FILE"] == "/run/secrets/kimono_api_key"
    assert SERVICES["exporter"]["secrets"] == ["kimono_api_key"]
    real = project({"KIMONO_API_KEY_FILE": "/etc/kimono-exporter/api-key"})
    assert real["secrets"] == {"kimono_api_key": {"file": "/etc/kimono-exporter/api-key"}}
    assert not any("PASSWORD" in name for service in SERVICES.values() for name in service.get("environment", ()))


def test_the_settings_of_the_exporter_exist() -> None:
    assert SERVICES["exporter"]["environment"].keys() <= {leaf.env for leaf in LEAVES.values()}


def test_one_variable_chooses_between_the_demo_and_the_real_api() -> None:
    assert parsed(command(SERVICES["exporter"])).command == "demo"
    assert parsed(command(project({"KIMONO_COMMAND": "run"})["services"]["exporter"])).command == "run"


def test_grafana_has_the_settings_of_the_demo() -> None:
    settings = dict(SERVICES["grafana"]["environment"])
    home = settings.pop("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH")
    # By https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/#override-configuration-with-environment-variables
    assert settings == {
        f"GF_{section}_{key}".replace(".", "_").upper(): json.dumps(value) if isinstance(value, bool) else value
        for section, values in FOR_VIEWERS.items()
        for key, value in values.items()
    }
    # The dashboards lead to Grafana's list of rules, which is empty without this. Prometheus alone evaluates them.
    assert settings["GF_UNIFIED_ALERTING_ENABLED"] == "true"
    assert settings["GF_UNIFIED_ALERTING_EXECUTE_ALERTS"] == "false"
    (boards,) = (mount for mount in mounts(SERVICES["grafana"]) if mount.source.is_dir())
    assert (boards.source / Path(home).relative_to(boards.target)).is_file()


def test_grafana_finds_its_data_source_and_the_dashboards() -> None:
    mounted = {mount.target: mount.source for mount in mounts(SERVICES["grafana"])}
    (source,) = yaml.safe_load(mounted["/etc/grafana/provisioning/datasources/kimono.yaml"].read_text())["datasources"]
    (provider,) = yaml.safe_load(mounted["/etc/grafana/provisioning/dashboards/kimono.yaml"].read_text())["providers"]
    assert (source["type"], source["access"], source["url"]) == ("prometheus", "proxy", "http://prometheus:9090")
    shipped = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/kimono.yaml").read_text())
    assert source.keys() == shipped["datasources"][0].keys() | {"isDefault"}
    boards = [json.loads(path.read_text()) for path in mounted[provider["options"]["path"]].glob("*.json")]
    assert {board["uid"] for board in boards} >= {"kimono-fleet", "kimono-tenant", "kimono-rollovers"}
    for board in boards:
        (choice,) = (each for each in board["templating"]["list"] if each["type"] == "datasource")
        assert choice["query"] == source["type"]


def test_rules_dashboards_and_alertmanager_can_be_replaced() -> None:
    given = {"KIMONO_ASSETS": "./dashboards", "KIMONO_ALERTMANAGER_CONFIG": "/etc/alertmanager.yml"}
    services = project(given)["services"]
    sources = {str(mount.source) for service in services.values() if "volumes" in service for mount in mounts(service)}
    assert sources >= {
        str(ROOT / "dashboards/dashboards"),
        str(ROOT / "dashboards/alerts/kimono.rules.yaml"),
        "/etc/alertmanager.yml",
    }
    assert variables().keys() == {*given, "KIMONO_COMMAND", "KIMONO_API_KEY_FILE", "KIMONO_IMAGE"}


def test_the_mounted_files_are_what_the_code_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err.count("is stale. How to fix: python -m deploy.compose") == 2
    assert main([], tmp_path) == 0
    assert main(["--check"], tmp_path) == 0
