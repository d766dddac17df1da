"""Renders the chart with helm, and folders with kustomize, to objects."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.support.kubernetes.programs import program

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "kimono-exporter"
# Newest last. The schemas of kubernetes-validate are of these.
VERSIONS = ("1.35", "1.36", "1.37")
WITH_SECRET = {"credentials": {"existingSecret": "hub"}}

Object = Mapping[str, Any]


class RefusedError(Exception):
    """Helm or kustomize refused; the text is what it said."""


def template(
    values: Mapping[str, Any] | None = None,
    *options: str,
    files: Iterable[Path] = (),
    version: str = VERSIONS[-1],
    release: str = "hub",
) -> list[Object]:
    """The objects that `helm install` would make. Raises RefusedError."""
    given = yaml.safe_dump(WITH_SECRET if values is None else dict(values))
    chosen = [option for path in files for option in ("--values", str(path))]
    command = ["template", release, str(CHART), "--kube-version", f"{version}.0", *chosen, "--values", "-", *options]
    return objects(run("helm", *command, given=given))


def build(folder: Path) -> list[Object]:
    """The objects that `kubectl apply --kustomize` would make. Raises RefusedError."""
    return objects(run("kustomize", "build", str(folder)))


def run(name: str, *arguments: str, given: str = "") -> str:
    """What helm or kustomize print. Raises RefusedError."""
    done = subprocess.run(
        [program(name), *arguments], input=given, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise RefusedError(done.stderr + done.stdout)
    return done.stdout


def objects(text: str) -> list[Object]:
    """The objects in a YAML stream. A duplicate key is an error."""
    return [each for each in yaml.load_all(text, _Strict) if each]


def of_kind(found: Iterable[Object], kind: str) -> list[Object]:
    """Those of one kind."""
    return [each for each in found if each["kind"] == kind]


def only(found: Iterable[Object], kind: str) -> Any:
    """The one object of a kind."""
    (one,) = of_kind(found, kind)
    return one


def pod_of(workload: Object) -> Any:
    """The specification of the pods of a workload."""
    return workload["spec"]["template"]["spec"]


def environment(workload: Object) -> dict[str, Any]:
    """The variables of the exporter's container."""
    container = pod_of(workload)["containers"][0]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


class _Strict(yaml.SafeLoader):
    """YAML in which a duplicate key is an error: parsers differ in which of them wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's form
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"duplicate keys: {keys}{node.start_mark}"
        return super().construct_mapping(node, deep)
