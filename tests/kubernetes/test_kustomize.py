"""Tests the manifests of kustomize: valid, without a Secret, and like those of the chart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import __version__
from exporter.settings import load
from tests.support.kubernetes.rendering import (
    ROOT,
    VERSIONS,
    WITH_SECRET,
    RefusedError,
    build,
    environment,
    of_kind,
    only,
    pod_of,
    template,
)
from tests.support.kubernetes.validation import check

FOLDER = ROOT / "deploy" / "kustomize"


def with_components(folder: Path, *names: str) -> Path:
    """An overlay on the base with these components."""
    base = os.path.relpath(FOLDER, folder)
    overlay = {"resources": [f"{base}/base"], "components": [f"{base}/components/{name}" for name in names]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str, tmp_path: Path) -> None:
    for folder in (FOLDER / "base", FOLDER / "overlays" / "example", with_components(tmp_path, "operator", "shards")):
        found = build(folder)
        assert found
        for each in found:
            check(each, version)


def test_there_is_no_secret_that_could_replace_a_key(tmp_path: Path) -> None:
    for folder in (FOLDER / "base", FOLDER / "overlays" / "example", with_components(tmp_path, "operator", "shards")):
        found = build(folder)
        assert not of_kind(found, "Secret")
        (volume,) = [each for each in pod_of(only(found, "StatefulSet"))["volumes"] if each["name"] == "credentials"]
        assert volume["secret"]["secretName"] == "kimono-exporter"


def test_the_example_has_its_image_its_settings_and_the_operator(tmp_path: Path) -> None:
    found = build(FOLDER / "overlays" / "example")
    pod = pod_of(only(found, "StatefulSet"))
    assert pod["containers"][0]["image"] == f"registry.example.net/monitoring/kimono-exporter:{__version__}"
    assert {each["metadata"]["namespace"] for each in found} == {"monitoring"}
    settings = only(found, "ConfigMap")
    (volume,) = [each for each in pod["volumes"] if each["name"] == "config"]
    assert volume["configMap"]["name"] == settings["metadata"]["name"] != "kimono-exporter"
    file = tmp_path / "kimono.yaml"
    file.write_text(settings["data"]["kimono.yaml"])
    assert load({"config.file": str(file)}, {"KIMONO_API_KEY": "made-up"}).collectors.scoping.enabled
    labels = only(found, "Service")["metadata"]["labels"]
    assert only(found, "ServiceMonitor")["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_settings_of_the_base_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "kimono.yaml"
    file.write_text(only(build(FOLDER / "base"), "ConfigMap")["data"]["kimono.yaml"])
    key = {"KIMONO_API_KEY": "made-up"}
    assert load({"config.file": str(file)}, key).discovery == load({}, key).discovery


def test_shards_take_their_number_from_the_pod(tmp_path: Path) -> None:
    found = only(build(with_components(tmp_path, "shards")), "StatefulSet")
    variables = environment(found)
    assert found["spec"]["replicas"] == int(variables["KIMONO_SHARD_TOTAL"]) == 3
    assert variables["KIMONO_SHARD_INDEX"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert variables["KIMONO_STATE_FILE"] == "/var/lib/kimono-exporter/state"


def test_shards_can_be_added_to_a_stateful_set_that_exists(tmp_path: Path) -> None:
    """Kubernetes refuses other changes than these."""
    without = only(build(FOLDER / "base"), "StatefulSet")
    with_shards = only(build(with_components(tmp_path, "shards")), "StatefulSet")
    assert without["metadata"]["name"] == with_shards["metadata"]["name"]
    fixed = without["spec"].keys() - {"replicas", "template"}
    assert {"selector", "serviceName", "volumeClaimTemplates"} <= fixed
    assert {name: without["spec"][name] for name in fixed} == {name: with_shards["spec"][name] for name in fixed}


def test_the_pods_are_those_of_the_chart() -> None:
    """But for the listening address, which the chart can change, and for names."""
    values = {**WITH_SECRET, "kind": "StatefulSet", "persistence": {"enabled": True}}
    of_chart, of_kustomize = only(template(values), "StatefulSet"), only(build(FOLDER / "base"), "StatefulSet")
    assert environment(of_chart) == {**environment(of_kustomize), "KIMONO_WEB_LISTEN_ADDRESS": ":10120"}

    def shape(workload: Any) -> Any:
        pod = pod_of(workload)
        container = pod["containers"][0]
        probes = {name: container[f"{name}Probe"] for name in ("liveness", "readiness")}
        for probe in probes.values():
            probe["httpGet"].setdefault("scheme", "HTTP")
        return (
            {name: container[name] for name in ("resources", "securityContext", "volumeMounts")},
            probes,
            {name: pod[name] for name in ("automountServiceAccountToken", "enableServiceLinks", "securityContext")},
            {name: workload["spec"][name] for name in ("replicas", "podManagementPolicy")},
            [each["spec"] for each in workload["spec"]["volumeClaimTemplates"]],
        )

    assert shape(of_chart) == shape(of_kustomize)


def test_a_component_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        build(with_components(tmp_path, "shard"))
