"""Installs the exporter into empty environments of several Pythons, as the image does, and tries it in each.

`python -m deploy.release.environments python3.11 python3.13` needs the package index. It runs the steps of the
Dockerfile with each Python. Then it asks for the version, writes the assets, and polls the simulated API.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.release.image import Image, StepError, build
from exporter import __version__

ROOT = Path(__file__).resolve().parents[2]
SUPPORTED = ("3.11", "3.12", "3.13")


def found_pythons() -> list[str]:
    """One Python of each supported version: on the PATH, or of pyenv. This one, if it is of such a version."""
    folders = [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep)]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for version in SUPPORTED:
        programs = [folder / f"python{version}" for folder in folders if "shims" not in folder.parts]
        programs += sorted(root.glob(f"versions/{version}.*/bin/python{version}"))
        found.setdefault(version, next((str(each) for each in programs if each.is_file()), ""))
    return [found[version] for version in SUPPORTED if found[version]]


def trial(python: str, folder: Path) -> str:
    """Install into an empty environment of this Python and try the program. Returns what was seen; raises StepError."""
    image = build(ROOT, folder, python, {})
    kimono = image.entrypoint
    version = image.run([*kimono, "--version"])
    if not version.startswith(f"kimono-exporter, version {__version__}"):
        raise StepError(f"--version printed {version}")
    image.run("pip --python /opt/kimono-exporter check".replace("/opt", f"{image.folder}/opt"))
    image.run([*kimono, "assets", str(folder / "assets")])
    written = sum(path.is_file() for path in (folder / "assets").rglob("*"))
    page = _once(image)
    families = len(re.findall(r"(?m)^# TYPE ", page))
    if not written or "\nkimono_tenants 3.0\n" not in page:
        raise StepError(f"{written} assets; `once` printed {page[:200]}")
    return f"Python {version.split('python version:')[1].split()[0]}: {written} assets, {families} families of `once`"


def _once(image: Image) -> str:
    """The page of `once` on the simulated API, run as `simulate` of the same installation."""
    command = [*image.entrypoint, "simulate", "--tenants", "3", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=image.environ, stdout=subprocess.PIPE, text=True) as simulator:  # noqa: S603 - as above
        try:
            given = next((line for line in simulator.stdout or () if line.startswith("Try: ")), "")
            variables = dict(re.findall(r"(KIMONO_API_\w+)=(\S+)", given))
            return image.run([*image.entrypoint, "once"], **variables)
        finally:
            simulator.terminate()


def main(arguments: Sequence[str] | None = None) -> int:
    """Try each Python; 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release.environments", description=__doc__)
    parser.add_argument("python", nargs="*", help="programs to try (default: of each supported version, those found)")
    failed = False
    for python in parser.parse_args(arguments).python or found_pythons():
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="kimono-environment-") as folder:
            try:
                print(f"{trial(python, Path(folder))}, in {time.monotonic() - begun:.0f} s", flush=True)
            except (StepError, OSError, subprocess.SubprocessError) as error:
                failed = True
                print(f"{python}: failed\n{error}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
