"""Builds programs that are Go modules, once for all test runs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

# Git ignores build/.
CACHE = Path(__file__).parents[2] / "build" / "go-tools"


@cache
def go_tool(folder: Path, package: str) -> Path:
    """The program of a Go package, built by go.mod and go.sum in the folder.

    If there is no Go, or an older one than go.mod needs, the test is skipped, but fails in CI.
    """
    sources = b"".join((folder / name).read_bytes() for name in ("go.mod", "go.sum"))
    built = CACHE / f"{package.rpartition('/')[2]}-{hashlib.sha256(sources).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    # Other workers wait for the one that builds.
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            _build(folder, package, built)
    return built


def _build(folder: Path, package: str, built: Path) -> None:
    needed = re.search(r"^go (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
    assert needed
    unfinished = built.with_suffix(".new")
    # GOTOOLCHAIN: the Go that is there, not one that it downloads.
    environ = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    command = [_go(needed[1]), "build", "-trimpath", "-ldflags=-s -w", "-o", str(unfinished), package]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stderr}"
    unfinished.replace(built)


def _go(version: str) -> str:
    """A Go of this version or newer: in the virtual environment, or on the path."""
    for go in (str(Path(sys.executable).with_name("go")), shutil.which("go")):
        if go and Path(go).exists() and _numbers(_version_of(go)) >= _numbers(version):
            return go
    reason = f"there is no Go {version} or newer"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _version_of(go: str) -> str:
    environ = {**os.environ, "GOTOOLCHAIN": "local"}
    return subprocess.run([go, "env", "GOVERSION"], env=environ, capture_output=True, text=True, check=True).stdout


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
