"""Builds helm and kustomize from their Go modules, once for all test runs, and gets the operator's definitions."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Git ignores build/.
CACHE = Path(__file__).parents[3] / "build" / "kubernetes"
MODULES = {"helm": "helm.sh/helm/v3/cmd/helm", "kustomize": "sigs.k8s.io/kustomize/kustomize/v5"}
OPERATOR = "github.com/prometheus-operator/prometheus-operator"


@cache
def program(name: str) -> Path:
    """The path of helm or kustomize. If no Go can build it, the test is skipped, but fails in CI."""
    sources = b"".join((HERE / "tools" / each).read_bytes() for each in ("go.mod", "go.sum"))
    built = CACHE / f"{name}-{hashlib.sha256(sources).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    # The others wait for the one that builds: it takes minutes and all processors.
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            _build(MODULES[name], built)
    return built


@cache
def definitions() -> Path:
    """The folder with the definitions (CRDs) of Prometheus Operator."""
    answer = _go("mod", "download", "-json", OPERATOR, folder=HERE / "crds")
    return Path(json.loads(answer)["Dir"]) / "example" / "prometheus-operator-crd"


def _build(module: str, path: Path) -> None:
    unfinished = path.with_suffix(".new")
    _go("build", "-trimpath", "-ldflags=-s -w", "-o", str(unfinished), module, folder=HERE / "tools")
    unfinished.replace(path)


def _go(*arguments: str, folder: Path) -> str:
    environ = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    command = [_new_enough_go(), *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stderr}"
    return done.stdout


@cache
def _new_enough_go() -> str:
    """A Go that is as new as the tools need: that of requirements-go.txt if it is installed, or the one on the path."""
    needed = re.search(r"(?m)^go (\S+)$", (HERE / "tools" / "go.mod").read_text())
    assert needed
    for go in (str(Path(sys.executable).with_name("go")), shutil.which("go")):
        if go and Path(go).exists() and _version(go) >= _numbers(needed[1]):
            return go
    reason = f"there is no Go {needed[1]} or newer. How to fix: make go"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _version(go: str) -> tuple[int, ...]:
    environ = {**os.environ, "GOTOOLCHAIN": "local"}
    return _numbers(subprocess.check_output([go, "env", "GOVERSION"], env=environ, text=True))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
