"""Keeps one version: it is in exporter/__init__.py, and what repeats it is compared, and changed with it.

`python -m deploy.release.version` prints each place that has another version, and exits with 1 if there is one. With
`--tag v1.2.3` it also compares the tag.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.release.changelog import newest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path("exporter", "__init__.py")
_NUMBER = r"\d+\.\d+\.\d+"
_IN_SOURCE = re.compile(rf'(?m)(?<=^__version__ = "){_NUMBER}(?="$)')
# Images in manifests and documentation, the chart's version of the exporter, and the log line in the documentation.
_REPEATED = re.compile(rf'(?m)(?:(?<=\bkimono-exporter:)|(?<=^appVersion: ")|(?<=msg=listening version=)){_NUMBER}\b')
# A chart has a version of its own. Each release makes a new chart, and gives it the version of the exporter.
_OF_CHART = re.compile(rf"(?m)(?<=^version: ){_NUMBER}$")
# History, and what tests and measurements compare with.
_OTHERS = ("CHANGELOG.md", "tests/", "bench/")


class VersionError(Exception):
    """The version can't be used. The text says why."""


def current(root: Path = ROOT) -> str:
    """The version in the source. Raises VersionError if there is not exactly one."""
    found = _IN_SOURCE.findall((root / SOURCE).read_text(encoding="utf-8"))
    if len(found) != 1:
        raise VersionError(f"{SOURCE} has {len(found)} versions of the form 1.2.3, not one")
    return str(found[0])


def check_newer(version: str, before: str) -> None:
    """Raise VersionError unless the version has the form 1.2.3 and is greater than the one before."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise VersionError(f"the version {version!r} does not have the form 1.2.3")
    if _parts(version) <= _parts(before):
        raise VersionError(f"the version {version} is not greater than {before}, which is the current one")


def set_version(root: Path, version: str) -> list[str]:
    """Write the version wherever it is, also into the chart. Returns the files that changed."""
    changed = []
    for path, text in _files(root):
        pattern = _IN_SOURCE if path == SOURCE else _REPEATED
        new = pattern.sub(version, text)
        if path.name == "Chart.yaml":
            new = _OF_CHART.sub(version, new)
        if new != text:
            (root / path).write_text(new, encoding="utf-8")
            changed.append(path.as_posix())
    return changed


def problems(root: Path = ROOT, tag: str | None = None) -> Iterator[str]:
    """What has another version than the source."""
    version = current(root)
    for path, text in _files(root):
        for number, line in enumerate(text.splitlines(), start=1):
            if any(found != version for found in _REPEATED.findall(line)):
                yield f"{path}:{number} has another version than {version}, which {SOURCE} has: {line.strip()}"
    if newest((root / "CHANGELOG.md").read_text(encoding="utf-8")) != version:
        yield f"{version}, the version in {SOURCE}, is not the newest section of CHANGELOG.md"
    if tag is not None and tag != f"v{version}":
        yield f"the tag {tag} is not v{version}: {SOURCE} has that version"


def _files(root: Path) -> Iterator[tuple[Path, str]]:
    """The committed text files that may repeat the version."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)  # noqa: S603 - fixed words
    for name in sorted(set(listed.stdout.split("\0")) - {""}):
        path = root / name
        if name.startswith(_OTHERS) or not path.is_file() or path.is_symlink():
            continue
        try:
            yield Path(name), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the problems; 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release.version")
    parser.add_argument("--tag", help="compare this tag as well")
    found = list(problems(ROOT, parser.parse_args(arguments).tag))
    for problem in found:
        print(problem, file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
