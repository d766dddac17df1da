"""Tests that the installed package has its assets, built from what the container image is built from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from exporter.assets import assets

ROOT = Path(__file__).parents[2]


def copied(folder: Path) -> None:
    """What the Dockerfile copies before it builds the wheel. Symbolic links stay links."""
    build = (ROOT / "Dockerfile").read_text().partition("RUN pip wheel")[0]
    for line in build.splitlines():
        if line.startswith("COPY "):
            *sources, target = line.split()[1:]
            for source in sources:
                to = folder / target if (ROOT / source).is_dir() else folder / target / Path(source).name
                to.parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy2
                extra = {"symlinks": True} if (ROOT / source).is_dir() else {"follow_symlinks": False}
                copy(ROOT / source, to, **extra)  # type: ignore[operator]  # two signatures


def run(*command: str | Path, folder: Path, **environ: str) -> None:
    result = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_wheel_has_the_assets(tmp_path: Path) -> None:
    source, installed, out = tmp_path / "source", tmp_path / "installed", tmp_path / "out"
    source.mkdir()
    copied(source)
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "dist", ".", folder=source)
    (wheel,) = (source / "dist").glob("*.whl")
    run(*pip, "install", "--no-deps", "--no-index", "--target", installed, wheel, folder=tmp_path)
    shutil.rmtree(source)
    run("-m", "exporter", "assets", out, folder=tmp_path, PYTHONPATH=str(installed))
    assert (installed / "exporter/assets/runbooks/README.md").is_file()
    assert not any(path.is_symlink() for path in installed.rglob("*"))
    assert {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()} == assets()
