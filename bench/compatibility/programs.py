"""Installs programs of pinned versions below build/compatibility, each with the client of its own registry."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.trial import ROOT, NotInstalledError, run

BUILT = ROOT / "build" / "compatibility"


def go_program(package: str, version: str, tags: str = "") -> Path:
    """The program of a Go package, such as `promtool`, built with tags. NotInstalledError if it can't be built."""
    folder = BUILT / f"go-{version}"
    program = folder / package.rpartition("/")[2]
    if not program.exists():
        print(f"building {package}@{version}: minutes", file=sys.stderr)
        _install(["go", "install", f"-tags={tags}", f"{package}@{version}"], BUILT, {"GOBIN": str(folder)})
    return program


def python_packages(python: Path, name: str, *arguments: str) -> Path:
    """The Python of a virtual environment with packages, given as arguments of `pip install`."""
    folder = BUILT / name
    made = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        print(f"installing packages into {folder}", file=sys.stderr)
        _install([python, "-m", "venv", "--clear", folder], ROOT)
        _install([made, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments], ROOT)
        ready.touch()
    return made


def npm_packages(name: str, *packages: str) -> Path:
    """A folder with packages of npm below `node_modules`, none of whose scripts have been run."""
    folder = BUILT / name
    if not (folder / "node_modules").exists():
        print(f"installing {', '.join(packages)}", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        _install(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", *packages], folder)
    return folder


def installed(*names: str) -> Path:
    """The path of the first program that is on the path. NotInstalledError if none is."""
    for name in names:
        if path := shutil.which(name):
            return Path(path)
    raise NotInstalledError(f"{' or '.join(names)} is not installed")


def first_on_path(name: str, programs: Mapping[str, Path]) -> dict[str, str]:
    """A variable PATH with which these programs, by their names, are found before others."""
    folder = BUILT / name
    folder.mkdir(parents=True, exist_ok=True)
    for each, program in programs.items():
        link = folder / each
        link.unlink(missing_ok=True)
        link.symlink_to(program)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def _install(command: Sequence[str | Path], folder: Path, more: Mapping[str, str] = {}) -> None:
    BUILT.mkdir(parents=True, exist_ok=True)
    done = run(command, folder, more)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalledError(f"{command[0]} can't install it: {lines[-1] if lines else done.returncode}")
