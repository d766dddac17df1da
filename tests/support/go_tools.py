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
    name = re.sub(r"/v\d+$", "", package).rpartition("/")[2]
    built = CACHE / f"{name}-{hashlib.sha256(sources).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    # Other workers wait for the one that builds: that of helm takes minutes and all processors.
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            _build(folder, package, built)
    return built


def go(folder: Path, *arguments: str) -> str:
    """Run the go command in the folder of a go.mod, and return its output. Skips and fails as `go_tool` does."""
    needed = re.search(r"(?m)^go (\S+)$", (folder / "go.mod").read_text())
    assert needed
    # GOTOOLCHAIN: the Go that is there, not one that it downloads.
    environ = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    command = [_new_enough_go(needed[1]), *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stderr}"
    return done.stdout


def _build(folder: Path, package: str, built: Path) -> None:
    unfinished = built.with_suffix(".new")
    go(folder, "build", "-trimpath", "-ldflags=-s -w", "-o", str(unfinished), package)
    unfinished.replace(built)


@cache
def _new_enough_go(needed: str) -> str:
    """A Go of this version or newer: that of requirements-go.txt if it is installed, or the one on the path."""
    for found in (str(Path(sys.executable).with_name("go")), shutil.which("go")):
        if found and Path(found).exists() and _version(found) >= _numbers(needed):
            return found
    reason = f"there is no Go {needed} or newer. How to fix: make go"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _version(found: str) -> tuple[int, ...]:
    environ = {**os.environ, "GOTOOLCHAIN": "local"}
    return _numbers(subprocess.check_output([found, "env", "GOVERSION"], env=environ, text=True))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
