"""Validates the chart and the manifests by the schemas of the three newest versions of Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.kubernetes.rendering import VERSIONS
from tests.support.trial import Trial, running_tests, trial


def kubernetes() -> Iterator[Trial]:
    """With each of these versions."""
    how = "objects of the Helm chart and of kustomize by its schemas, strictly, without a cluster"
    for version in VERSIONS:
        yield trial("Kubernetes", version, how, running_tests("tests/kubernetes", "-k", version))
