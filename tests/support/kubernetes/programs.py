"""Builds helm and kustomize from their Go modules, and gets the definitions of Prometheus Operator."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from tests.support.go_tools import go, go_tool

HERE = Path(__file__).parent
MODULES = {"helm": "helm.sh/helm/v3/cmd/helm", "kustomize": "sigs.k8s.io/kustomize/kustomize/v5"}
OPERATOR = "github.com/prometheus-operator/prometheus-operator"


def program(name: str) -> Path:
    """The path of helm or kustomize. If no Go can build it, the test is skipped, but fails in CI."""
    return go_tool(HERE / "tools", MODULES[name])


@cache
def definitions() -> Path:
    """The folder with the definitions (CRDs) of Prometheus Operator."""
    answer = go(HERE / "crds", "mod", "download", "-json", OPERATOR)
    return Path(json.loads(answer)["Dir"]) / "example" / "prometheus-operator-crd"
