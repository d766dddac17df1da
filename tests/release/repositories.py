"""Makes repositories from the files of this checkout, to release them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
REMOTE = "https://git.example.net/a/kimono-exporter.git"
PARTS = ("exporter", "dashboards", "alerts", "docs", "deploy")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a repository below a temporary folder. A link to the repository of this checkout is refused."""
    assert arguments[0] in ("init", "clone") or (folder / ".git").is_dir(), f"{folder} is not a repository of its own"
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    """A clone in which all that a release needs is committed, with an entry in the changelog."""
    folder.mkdir(parents=True)
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        # Nothing hidden but these: in a worktree, `.git` is a file, and leads to the repository of this checkout.
        if path.is_file() and (not path.name.startswith(".") or path.name in (".dockerignore", ".gitignore")):
            shutil.copy2(path, folder)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name, value in (("user.name", "A Person"), ("user.email", "a@example.net"), ("remote.origin.url", REMOTE)):
        git(folder, "config", name, value)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder
