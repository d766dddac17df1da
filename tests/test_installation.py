"""Tests what `make` shows while it installs, with a fake pip."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = """#!/bin/sh
echo "$@" >>calls
echo "Collecting aiohttp==3 (from -r requirements.txt)"
echo "  Downloading aiohttp-3.whl"
echo "Requirement already satisfied: yarl==1"
echo "Installing collected packages: aiohttp"
case "$*" in *{fails}*) echo "ERROR: No matching distribution"; exit 1;; esac
"""
STEPS = [
    "Step 2 of 4: installing 2 packages that the exporter needs (requirements.txt)",
    "Step 3 of 4: installing the exporter itself",
]


def folder(path: Path, fails: str = "nothing") -> Path:
    """A fresh clone in which the virtual environment has just been made."""
    shutil.copy2(ROOT / "Makefile", path)
    for name in ("requirements.txt", "requirements-build.txt", "pyproject.toml"):
        (path / name).write_text("aiohttp==3\nyarl==1\n")
    python = path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(PIP.format(fails=fails))
    python.chmod(0o755)
    return path


def make(path: Path, output: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", ".venv/.run"],
        cwd=path,
        env={"PATH": os.environ["PATH"]},
        stdout=output or subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_pipe_gets_one_line_for_each_step(tmp_path: Path) -> None:
    result = make(folder(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == STEPS
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 3
    assert all("--require-hashes" in call and "--no-deps" in call for call in calls[:2])


def test_a_terminal_sees_how_many_packages_there_are(tmp_path: Path) -> None:
    reading, writing = pty.openpty()
    assert make(folder(tmp_path), writing).returncode == 0
    os.close(writing)
    shown = os.read(reading, 65536).decode()
    os.close(reading)
    assert "\r  1 of 2 packages\r  2 of 2 packages\r  2 packages: copying them" in shown


@pytest.mark.parametrize("fails", ["requirements.txt", "requirements-build.txt", "editable"])
def test_an_installation_that_fails_is_a_line_and_no_success(fails: str, tmp_path: Path) -> None:
    result = make(folder(tmp_path, fails))
    assert result.returncode == 2
    *_, error, what = result.stdout.splitlines()
    assert error == "ERROR: No matching distribution"
    assert what.startswith(f"Could not install {fails if fails != 'editable' else 'the exporter itself'}. ")
    assert not (tmp_path / ".venv/.run").exists()
