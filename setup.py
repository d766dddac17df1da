"""Writes into the built package what it was built from, for `kimono-exporter --version`. All else is in pyproject.toml.

The facts come from KIMONO_BUILD_REVISION, KIMONO_BUILD_BRANCH and SOURCE_DATE_EPOCH, or else from git and the clock.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def _git(*arguments: str) -> str:
    """The output of git; empty without git, or if this is not the root of a repository: it may lie within another."""
    if not (ROOT / ".git").exists():
        return ""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def facts() -> dict[str, str]:
    """Branch, revision and date of this build; empty where unknown."""
    revision = os.environ.get("KIMONO_BUILD_REVISION", "")
    branch = os.environ.get("KIMONO_BUILD_BRANCH", "")
    if not revision:
        revision, branch = _git("rev-parse", "HEAD"), branch or _git("rev-parse", "--abbrev-ref", "HEAD")
        if revision and _git("status", "--porcelain", "--untracked-files=no"):
            revision += "-modified"
    at = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return {"branch": branch, "revision": revision, "date": time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(at))}


class BuildPy(build_py):
    """Also writes `exporter/_build.py`. Not into a checkout that is only linked: there it would become out of date."""

    def run(self) -> None:
        """Build."""
        super().run()
        if not self.editable_mode:
            (Path(self.build_lib) / "exporter" / "_build.py").write_text(f"BUILD = {facts()!r}\n", encoding="utf-8")


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildPy})
