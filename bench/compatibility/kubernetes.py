"""Validates the manifests in deploy/ by the schemas of the three newest versions of Kubernetes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.compatibility.programs import python_packages
from bench.compatibility.trial import ROOT, Trial, run
from tests.support.compatibility import FAILED, PASSED

_PACKAGE = "kubernetes-validate==1.37.0"
# Prometheus Operator's own kinds are not in the schemas of Kubernetes.
_SCRIPT = """
import sys
import kubernetes_validate, kubernetes_validate.utils, yaml
version, *paths = sys.argv[1:]
if version == "versions":
    print(*kubernetes_validate.utils.all_versions())
for path in paths:
    for each in yaml.safe_load_all(open(path, encoding="utf-8")):
        if each["apiVersion"].startswith("monitoring.coreos.com/"):
            continue
        kubernetes_validate.validate(each, version, strict=True)
"""


def kubernetes() -> Iterator[Trial]:
    """With each of the three newest versions that the package has."""
    python = python_packages(Path(sys.executable), "kubernetes", _PACKAGE)
    known = run([python, "-c", _SCRIPT, "versions"], ROOT).stdout.split()
    newest = sorted({version.removeprefix("v") for version in known}, key=_numbers)[-3:]
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "deploy").glob("*.yaml") if _is_manifest(path))
    for version in newest:
        done = run([python, "-c", _SCRIPT, version, *files], ROOT)
        print(done.stderr[-2000:], end="", file=sys.stderr)
        how = f"{' and '.join(f'`{name}`' for name in files)} by its schemas, strictly"
        yield Trial("Kubernetes", version, how, FAILED if done.returncode else PASSED)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _is_manifest(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "apiVersion:" in text and "monitoring.coreos.com" not in text
