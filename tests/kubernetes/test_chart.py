"""Tests what the Helm chart renders: valid objects for all values, and clear messages for wrong ones."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exporter import __version__
from exporter.settings import LEAVES, load
from tests.support.kubernetes.rendering import (
    CHART,
    ROOT,
    VERSIONS,
    WITH_SECRET,
    RefusedError,
    environment,
    of_kind,
    only,
    pod_of,
    run,
    template,
)
from tests.support.kubernetes.validation import check
from tests.support.processes import measured

EXAMPLES = sorted((CHART / "ci").glob("*-values.yaml"))


def with_values(**values: Any) -> dict[str, Any]:
    return {**WITH_SECRET, **values}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_of_every_example_is_valid(path: Path, version: str) -> None:
    found = template({}, files=[path], version=version)
    assert len(found) >= 5
    names = [(each["kind"], each["metadata"]["name"]) for each in found]
    assert len(set(names)) == len(names)
    for each in found:
        if each["kind"] != "ExternalSecret":
            check(each, version)


def test_the_schema_of_kubernetes_finds_errors() -> None:
    deployment = json.loads(json.dumps(only(template(), "Deployment")))
    deployment["spec"]["template"]["spec"]["containers"][0]["imagePullPolicies"] = "Always"
    with pytest.raises(Exception, match="imagePullPolicies"):
        check(deployment, VERSIONS[-1])


def test_the_schema_of_the_operator_finds_errors() -> None:
    monitor = json.loads(json.dumps(only(template(with_values(serviceMonitor={"enabled": True})), "ServiceMonitor")))
    check(monitor, VERSIONS[-1])
    monitor["spec"]["endpoints"][0]["scrapeTimeOut"] = "30s"
    with pytest.raises(jsonschema.ValidationError, match="scrapeTimeOut"):
        check(monitor, VERSIONS[-1])


def test_helm_lint_finds_nothing() -> None:
    for path in EXAMPLES:
        said = run("helm", "lint", "--strict", "--kube-version", f"{VERSIONS[-1]}.0", str(CHART), "--values", str(path))
        assert "0 chart(s) failed" in said
        assert "WARNING" not in said


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "No credentials: set credentials.existingSecret"),
        ({"credentials": {"existingSecret": "a", "value": "b"}}, "Two kinds of credentials"),
        ({"credentials": {"type": "client", "existingSecret": "a"}}, "set credentials.clientId"),
        ({"credentials": {"type": "none", "value": "a"}}, "credentials.type is none: unset credentials.value"),
        ({"credentials": {"type": "none", "existingSecret": "a"}}, "is none: unset credentials.existingSecret"),
        ({"credentials": {"type": "none", "secretKey": "a"}}, "is none: unset credentials.secretKey"),
        (
            {"credentials": {"existingSecret": "a", "clientId": "b"}},
            "credentials.clientId is for credentials.type client",
        ),
        ({"credentials": {"type": "none", "clientId": "b"}}, "credentials.clientId is for credentials.type client"),
        ({"credentials": {"type": "password"}}, "/credentials/type': value must be one of 'apiKey', 'client', 'token'"),
        (with_values(shards=2), "set kind to StatefulSet"),
        (with_values(shards=0), "/shards': minimum: got 0, want 1"),
        (with_values(replicas=2, persistence={"enabled": True}), "Each replica needs its own volume"),
        (with_values(kind="StatefulSet", persistence={"existingClaim": "a"}), "existingClaim is for kind Deployment"),
        (with_values(persistence={"existingClaim": "a"}), "set persistence.enabled to true"),
        (with_values(kind="DaemonSet"), "/kind': value must be one of 'Deployment', 'StatefulSet'"),
        (with_values(web={"tls": True}), "set web.existingSecret"),
        (with_values(replica=2), "additional properties 'replica' not allowed"),
        (with_values(image={"digest": "sha256:0"}), "/image/digest': 'sha256:0' does not match"),
        (with_values(config={"api": {"key": "made-up"}}), "/config/api': additional properties 'key' not allowed"),
        (with_values(config={"api": {"rate_limits": 5}}), "additional properties 'rate_limits' not allowed"),
        (
            with_values(config={"api": {"url": "https://u:pw@api.example.net"}}),
            "config.api.url must not hold a user name",
        ),
        (with_values(config={"api": {"proxy_url": "http://u:pw@proxy:3128"}}), "set config.api.proxy_url_file"),
        (with_values(config={"api": {"proxy_url": "http://u@proxy:3128"}}), "config.api.proxy_url must not hold"),
        (with_values(config={"state": {"file": "/x"}}), "/config': additional properties 'state' not allowed"),
        (with_values(prometheusRule={"thresholds": {"syncOverdu": "2h"}}), "'syncOverdu' not allowed"),
        (with_values(prometheusRule={"thresholds": {"syncOverdue": "2 h"}}), 'syncOverdue: "2 h" is not a duration'),
        (with_values(prometheusRule={"thresholds": {"syncOverdue": "30s"}}), "of at least a minute"),
        (with_values(prometheusRule={"thresholds": {"syncOverdue": ""}}), "syncOverdue: "),
        (
            with_values(prometheusRule={"thresholds": {"fleetShare": 1}}),
            "/fleetShare': exclusiveMaximum: got 1, want 1",
        ),
        (with_values(prometheusRule={"thresholds": {"fleetShare": "0.0"}}), "/fleetShare': '0.0' does not match"),
        (with_values(prometheusRule={"thresholds": {"fleetTenants": 0}}), "/fleetTenants': minimum: got 0, want 1"),
        (with_values(prometheusRule={"runbookUrl": "wiki"}), "/prometheusRule/runbookUrl': 'wiki' does not match"),
        (with_values(serviceMonitor={"interval": "1"}), "/serviceMonitor/interval': '1' does not match"),
    ],
)
def test_wrong_values_are_refused_with_a_message(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RefusedError) as refused:
        template(values)
    assert message in str(refused.value)


def test_the_message_does_not_repeat_a_secret() -> None:
    with pytest.raises(RefusedError) as refused:
        template(with_values(config={"api": {"key": "made-up-key"}}))
    assert "made-up-key" not in str(refused.value)


@pytest.mark.parametrize("path", [path for path in LEAVES if path.endswith("url")])
def test_no_url_in_the_settings_may_hold_a_password(path: str) -> None:
    """The settings are in a ConfigMap. A pattern in the schema would refuse it, too, but Helm would show the value."""
    section, name = path.split(".")
    with pytest.raises(RefusedError, match=f"config.{path} must not hold a user name or a password") as refused:
        template(with_values(config={section: {name: "https://u:made-up-password@example.net"}}))
    assert "made-up-password" not in str(refused.value)
    assert template(with_values(config={section: {name: "https://example.net:3128"}}))


@pytest.mark.parametrize(
    ("credentials", "variable", "key"),
    [
        ({"type": "apiKey"}, "KIMONO_API_KEY_FILE", "api-key"),
        ({"type": "client", "clientId": "a"}, "KIMONO_API_CLIENT_SECRET_FILE", "client-secret"),
        ({"type": "token"}, "KIMONO_API_TOKEN_FILE", "token"),
        ({"type": "tenants"}, "KIMONO_API_TENANTS_FILE", "tenants.yaml"),
        ({"type": "apiKey", "secretKey": "other"}, "KIMONO_API_KEY_FILE", "other"),
    ],
)
def test_credentials_are_a_file_from_the_secret(credentials: dict[str, str], variable: str, key: str) -> None:
    found = template({"credentials": {**credentials, "existingSecret": "hub"}})
    deployment = only(found, "Deployment")
    assert environment(deployment)[variable] == f"/run/secrets/kimono-exporter/{key}"
    assert variable in {leaf.env for leaf in LEAVES.values()}
    assert not of_kind(found, "Secret")
    (volume,) = [each for each in pod_of(deployment)["volumes"] if each["name"] == "credentials"]
    assert volume["secret"] == {"secretName": "hub", "defaultMode": 0o440}


def test_a_secret_is_made_from_a_value() -> None:
    found = template({"credentials": {"value": "made-up"}})
    secret = only(found, "Secret")
    assert secret["data"] == {"api-key": "bWFkZS11cA=="}
    assert secret["metadata"]["name"] == "hub-kimono-exporter"


def test_without_a_type_nothing_is_done_about_credentials() -> None:
    found = template({"credentials": {"type": "none"}})
    assert not of_kind(found, "Secret")
    assert "credentials" not in str(pod_of(only(found, "Deployment")))


def test_no_pod_depends_on_the_secret_of_values_in_its_text() -> None:
    with_secret = template({"credentials": {"value": "made-up"}})
    assert "made-up" not in str([each for each in with_secret if each["kind"] != "Secret"])


def test_the_settings_are_those_that_the_exporter_reads(tmp_path: Path) -> None:
    found = template({}, files=[CHART / "ci" / "operator-values.yaml"])
    (configuration,) = [each for each in of_kind(found, "ConfigMap") if "kimono.yaml" in each["data"]]
    file = tmp_path / "kimono.yaml"
    file.write_text(configuration["data"]["kimono.yaml"])
    settings = load({"config.file": str(file)}, {"KIMONO_API_KEY": "made-up"})
    assert settings.discovery.exclude == ("Sandbox *",)


def test_all_settings_are_in_the_schema_but_secrets_and_those_that_the_chart_sets() -> None:
    config = json.loads((CHART / "values.schema.json").read_text())["properties"]["config"]
    known = set()

    def collect(schema: Any, path: str) -> None:
        for name, each in schema.get("properties", {}).items():
            collect(each, f"{path}{name}.")
        if "properties" not in schema:
            known.add(path.rstrip("."))

    collect(config, "")
    set_by_the_chart = {leaf.path for leaf in LEAVES.values() if leaf.kind.secret} | {
        *("config.file", "web.config_file", "web.listen_address", "web.systemd_socket", "state.file"),
        *("shard.index", "shard.total"),
    }
    assert known == LEAVES.keys() - set_by_the_chart


def test_the_shard_is_the_number_of_the_pod() -> None:
    found = template({}, files=[CHART / "ci" / "shards-values.yaml"])
    sets = of_kind(found, "StatefulSet")
    assert [each["metadata"]["name"] for each in sets] == ["hub-kimono-exporter", "hub-kimono-exporter-r1"]
    for each in sets:
        assert each["spec"]["replicas"] == 3
        variables = environment(each)
        assert variables["KIMONO_SHARD_INDEX"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        assert variables["KIMONO_SHARD_TOTAL"] == "3"
        assert each["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "fast"
        for number in range(3):
            environ = {"KIMONO_API_KEY": "a", "KIMONO_SHARD_INDEX": f"{each['metadata']['name']}-{number}"}
            assert load({}, {**environ, "KIMONO_SHARD_TOTAL": "3"}).shard.index == number
    selectors = [each["spec"]["selector"]["matchLabels"] for each in sets]
    assert selectors[0] != selectors[1]
    service = only(found, "Service")["spec"]["selector"]
    monitor = only(found, "ServiceMonitor")["spec"]
    for each, selector in zip(sets, selectors, strict=True):
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= labels.items()
        assert service.items() <= labels.items()
    assert monitor["selector"]["matchLabels"].items() <= only(found, "Service")["metadata"]["labels"].items()
    assert len(monitor["endpoints"]) == 1


@pytest.mark.parametrize("replicas", [1, 2])
def test_the_number_of_shards_can_be_changed_by_an_upgrade(replicas: int) -> None:
    """Kubernetes refuses another selector, Service or volume for a StatefulSet that exists."""

    def fixed(shards: int) -> Any:
        values = with_values(kind="StatefulSet", shards=shards, replicas=replicas, persistence={"enabled": True})
        found = of_kind(template(values), "StatefulSet")
        return {each["metadata"]["name"]: _fixed(each["spec"]) for each in found}

    one, three, five = fixed(1), fixed(3), fixed(5)
    assert one == {name: three[name] for name in one}
    assert three == five
    assert len(three) == replicas


def _fixed(spec: Any) -> Any:
    """What Kubernetes does not change of a StatefulSet."""
    changeable = {"replicas", "template", "updateStrategy", "revisionHistoryLimit"}
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    return {name: each for name, each in spec.items() if name not in changeable}


def test_large_whole_numbers_stay_whole() -> None:
    """Helm reads numbers in files as floating point, and writes those from a million on as 1e+06."""
    rule = {"enabled": True, "thresholds": {"setupMode": 2592000, "fleetTenants": 2592001}}
    limit = {"enabled": True, "sampleLimit": 2592002}
    found = template(with_values(prometheusRule=rule, serviceMonitor=limit, terminationGracePeriodSeconds=2592003))
    text = yaml.safe_dump(only(found, "PrometheusRule"))
    assert "30 * 86400" in text
    assert "2592001" in text
    assert only(found, "ServiceMonitor")["spec"]["sampleLimit"] == 2592002
    assert pod_of(only(found, "Deployment"))["terminationGracePeriodSeconds"] == 2592003


def test_the_state_file_is_in_an_empty_volume_or_in_a_claim() -> None:
    (volume,) = [each for each in pod_of(only(template(), "Deployment"))["volumes"] if each["name"] == "state"]
    assert "emptyDir" in volume
    kept = template(with_values(persistence={"enabled": True}))
    deployment = only(kept, "Deployment")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    (volume,) = [each for each in pod_of(deployment)["volumes"] if each["name"] == "state"]
    assert volume["persistentVolumeClaim"]["claimName"] == only(kept, "PersistentVolumeClaim")["metadata"]["name"]
    other = template(with_values(persistence={"enabled": True, "existingClaim": "mine"}))
    assert not of_kind(other, "PersistentVolumeClaim")
    assert "'claimName': 'mine'" in str(only(other, "Deployment"))


def test_the_pod_is_restricted() -> None:
    """What Pod Security "restricted" asks for, of the pod of the workload and of the test."""
    found = template(with_values(kind="StatefulSet"))
    for pod in (pod_of(only(found, "StatefulSet")), only(found, "Pod")["spec"]):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        context = pod["containers"][0]["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True
        allowed = {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
        assert {kind for volume in pod.get("volumes", []) for kind in volume if kind != "name"} <= allowed


def test_with_tls_probes_and_scrapes_use_https() -> None:
    found = template({}, files=[CHART / "ci" / "operator-values.yaml"])
    deployment = only(found, "Deployment")
    container = pod_of(deployment)["containers"][0]
    for probe, path in (("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")):
        assert container[probe]["httpGet"] == {"path": path, "port": "metrics", "scheme": "HTTPS"}
    assert environment(deployment)["KIMONO_WEB_CONFIG_FILE"] == "/run/secrets/kimono-exporter-web/web-config.yaml"
    endpoint = only(found, "ServiceMonitor")["spec"]["endpoints"][0]
    assert endpoint["scheme"] == "https"
    assert endpoint["basicAuth"]["password"] == {"name": "kimono-scrape", "key": "password"}
    assert "--web.config.file=/run/secrets/kimono-exporter-web/web-config.yaml" in str(only(found, "Pod"))


def test_a_probe_may_be_another_one() -> None:
    found = template(with_values(livenessProbe={"exec": {"command": ["kimono-exporter", "healthcheck"]}}))
    probe = pod_of(only(found, "Deployment"))["containers"][0]["livenessProbe"]
    assert probe["exec"] == {"command": ["kimono-exporter", "healthcheck"]}
    assert "httpGet" not in probe


@pytest.mark.parametrize("given", [{}, {"fullnameOverride": "o" * 60}])
def test_a_long_name_leaves_room_for_the_hash_in_a_label(given: dict[str, str]) -> None:
    """Kubernetes labels the pods of a StatefulSet with its name, a hyphen and a hash of up to 10 characters."""
    found = template(with_values(kind="StatefulSet", shards=2, replicas=11, **given), release="r" * 53)
    names = [each["metadata"]["name"] for each in of_kind(found, "StatefulSet")]
    assert len(set(names)) == 11
    assert max(len(f"{name}-{'0' * 10}") for name in names) == 63


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_null_turns_a_probe_off(kind: str) -> None:
    for off, other in (("livenessProbe", "readinessProbe"), ("readinessProbe", "livenessProbe")):
        container = pod_of(only(template(with_values(kind=kind, **{off: None})), kind))["containers"][0]
        assert off not in container
        assert container[other]["httpGet"]["port"] == "metrics"
    container = pod_of(only(template(with_values(kind=kind, livenessProbe=None, readinessProbe=None)), kind))
    assert "Probe" not in str(container)


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, f"kimono-exporter:{__version__}"),
        ({"image": {"registry": "r.example.net/a", "tag": "2"}}, "r.example.net/a/kimono-exporter:2"),
        (
            {"global": {"imageRegistry": "g.example.net"}, "image": {"registry": "r"}},
            f"g.example.net/kimono-exporter:{__version__}",
        ),
        ({"image": {"digest": "sha256:" + "0" * 64}}, f"kimono-exporter:{__version__}@sha256:" + "0" * 64),
    ],
)
def test_the_image_is_put_together(values: dict[str, Any], image: str) -> None:
    found = template(with_values(**values))
    assert pod_of(only(found, "Deployment"))["containers"][0]["image"] == image
    assert only(found, "Pod")["spec"]["containers"][0]["image"] == image


def test_the_test_pod_is_not_one_of_the_exporters() -> None:
    found = template()
    assert not only(found, "Service")["spec"]["selector"].items() <= only(found, "Pod")["metadata"]["labels"].items()


def test_the_chart_says_what_it_is() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart.keys() >= {"type", "kubeVersion", "keywords", "annotations"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["annotations"]["artifacthub.io/license"] == project["license"]


def test_common_labels_are_templates_in_all_objects() -> None:
    found = template(
        with_values(
            commonLabels={"release": "{{ .Release.Name }}"},
            **{each: {"enabled": True} for each in ("serviceMonitor", "prometheusRule", "dashboards")},
            **{each: {"enabled": True} for each in ("networkPolicy", "podDisruptionBudget", "persistence")},
        )
    )
    assert {"Pod", "Deployment", "PrometheusRule", "NetworkPolicy"} <= {each["kind"] for each in found}
    for each in found:
        assert each["metadata"]["labels"]["release"] == "hub", each["kind"]


def test_the_notes_say_what_is_missing(tmp_path: Path) -> None:
    """Helm shows them only for a cluster. So they are rendered as a part of an object."""
    copy = tmp_path / "kimono-exporter"
    shutil.copytree(CHART, copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "files" / "NOTES.txt")
    show = 'notes: {{ tpl (.Files.Get "files/NOTES.txt") . | quote }}'
    (copy / "templates" / "notes.yaml").write_text(f"kind: Notes\napiVersion: v1\nmetadata: {{name: notes}}\n{show}\n")
    command = [
        "template",
        "hub",
        str(copy),
        "--kube-version",
        f"{VERSIONS[-1]}.0",
        "--show-only",
        "templates/notes.yaml",
    ]
    notes = yaml.safe_load(run("helm", *command, "--values", "-", given=yaml.safe_dump(WITH_SECRET)))["notes"]
    checking = "  kubectl --namespace default exec"
    assert "port-forward service/hub-kimono-exporter 10120" in notes
    assert "is on no public registry" in notes
    assert "set serviceMonitor.enabled" in notes
    path = str(CHART / "ci" / "operator-values.yaml")
    notes = yaml.safe_load(run("helm", *command, "--values", path))["notes"]
    assert notes.splitlines().count(f"{checking} deployment/hub-kimono-exporter -- kimono-exporter check") == 1
    assert "https://127.0.0.1:10120/" in notes
    assert "is on no public registry" not in notes
    assert "set serviceMonitor.enabled" not in notes
    path = str(CHART / "ci" / "shards-values.yaml")
    notes = yaml.safe_load(run("helm", *command, "--values", path))["notes"]
    of_all = "kimono-exporter check --shard.total=1 --shard.index=0"
    assert f"{checking} statefulset/hub-kimono-exporter -- {of_all}" in notes.splitlines()


def test_the_exporter_takes_the_environment_of_the_pod(tmp_path: Path) -> None:
    """With the files of the pod in a folder: variables, settings, secret and state file fit together."""
    found = template({}, files=[CHART / "ci" / "shards-values.yaml"])
    workload = of_kind(found, "StatefulSet")[0]
    variables = environment(workload) | {"KIMONO_SHARD_INDEX": f"{workload['metadata']['name']}-2"}
    for mount in pod_of(workload)["containers"][0]["volumeMounts"]:
        (tmp_path / mount["mountPath"].lstrip("/")).mkdir(parents=True)
    (tmp_path / "etc/kimono-exporter/kimono.yaml").write_text(only(found, "ConfigMap")["data"]["kimono.yaml"])
    (tmp_path / "run/secrets/kimono-exporter/client-secret").write_text("made-up")
    paths = {name: str(tmp_path) + value if value.startswith("/") else value for name, value in variables.items()}
    done = exporter("run", "--config.check", **paths)
    assert (done.returncode, done.stdout[:3], done.stderr) == (0, "ok:", "")


def test_the_test_pod_asks_for_the_health() -> None:
    """Here nothing answers: the arguments are right, and the exit code is that of an exporter that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = only(template(with_values(service={"port": port})), "Pod")["spec"]["containers"][0]["args"]
    done = exporter(*[each.replace("hub-kimono-exporter", "127.0.0.1") for each in arguments])
    assert done.returncode == 1
    assert f"can't connect to 127.0.0.1 port {port}" in done.stdout + done.stderr


def exporter(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        env={"PATH": "", "PYTHONPATH": ":".join([str(ROOT), *sys.path]), **measured(), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_package_of_the_chart_is_small(tmp_path: Path) -> None:
    """Helm keeps chart and objects in a Secret, which may have 1 MiB."""
    run("helm", "package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.iterdir()
    assert package.stat().st_size < 200_000


def test_generated_files_are_in_step(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.chart", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    copy = tmp_path / "deploy"
    shutil.copytree(ROOT / "deploy", copy)
    schema = copy / "helm" / "kimono-exporter" / "values.schema.json"
    schema.write_text(schema.read_text() + "\n")
    environ = {"PATH": "", "PYTHONPATH": ":".join([str(tmp_path), str(ROOT), *sys.path])}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"{schema} is stale. How to fix: make chart"]
