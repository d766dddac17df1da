"""Makes a release: version, changelog section, commit, tag and artefacts. Changes nothing here unless `--publish`.

All steps run in a temporary clone. The artefacts go to dist/. With `--publish`, the commit and the tag are taken over.
Nothing is sent anywhere: the last line says what to push.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.release.artefacts import make_artefacts, source
from deploy.release.changelog import ChangelogError, released, section
from deploy.release.version import VersionError, check_newer, current, problems, set_version

ROOT = Path(__file__).resolve().parents[2]
# What generates files that have the version, where there is such a generator.
_GENERATORS = (Path("deploy", "chart", "__main__.py"),)
NO_DIGEST = (
    "the base image in the Dockerfile has no digest. If IMAGE_REGISTRY is set, the workflow refuses to publish. "
    "How to fix: make image-pin, and commit the Dockerfile"
)
_DIGEST = re.compile(r"^ARG PYTHON_IMAGE=\S+@sha256:[0-9a-f]{64}$", re.MULTILINE)


class ReleaseError(Exception):
    """The release can't be made. The text says why and how to fix it."""


def prepare(root: Path, version: str) -> None:
    """Raise ReleaseError, VersionError or ChangelogError if this can't become a release. Warn if its image can't."""
    check_newer(version, current(root))
    dirty = git(root, "status", "--porcelain")
    if dirty:
        raise ReleaseError(f"there are changes that are not committed: commit or stash them\n{dirty}")
    if git(root, "tag", "--list", f"v{version}"):
        raise ReleaseError(f"the tag v{version} exists: choose another version")
    section((root / "CHANGELOG.md").read_text(encoding="utf-8"), "Unreleased")
    if git(root, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD":
        raise ReleaseError("no branch is checked out: git switch main")
    if not _DIGEST.search((root / "Dockerfile").read_text(encoding="utf-8")):
        print(f"release: warning: {NO_DIGEST}", file=sys.stderr)


def commit(root: Path, clone: Path, version: str) -> None:
    """Clone the repository, and make the commit and the tag of the release in the clone."""
    git(root, "clone", "--quiet", "--no-tags", str(root), str(clone))
    for name, of_dry_run in (("user.name", "dry run"), ("user.email", "dry-run@localhost")):
        git(clone, "config", name, git(root, "config", "--default", of_dry_run, "--get", name))
    changelog = clone / "CHANGELOG.md"
    text = released(changelog.read_text(encoding="utf-8"), version, time.strftime("%Y-%m-%d", time.gmtime()))
    changelog.write_text(text, encoding="utf-8")
    set_version(clone, version)
    for generator in _GENERATORS:
        if (clone / generator).exists():
            module = ".".join(generator.parent.parts)
            _run([sys.executable, "-m", module], clone)
    found = list(problems(clone, f"v{version}"))
    if found:
        raise ReleaseError("\n".join(found))
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--no-verify", "--message", f"Release {version}")
    notes = f"kimono-exporter {version}\n\n{section(text, version)}"
    git(clone, "tag", "--annotate", "--cleanup=verbatim", "--message", notes, f"v{version}")


def check_identity(root: Path) -> None:
    """Raise ReleaseError if git does not know who commits and tags."""
    missing = [name for name in ("user.name", "user.email") if not git(root, "config", "--default", "", "--get", name)]
    if missing:
        raise ReleaseError(f"git does not know who makes the release: git config {missing[0]} …")


def take_over(root: Path, clone: Path, version: str) -> None:
    """Bring the commit and the tag from the clone into the branch that is checked out."""
    tag = f"refs/tags/v{version}"
    git(root, "fetch", "--quiet", "--no-tags", str(clone), f"{tag}:{tag}")
    git(root, "merge", "--quiet", "--ff-only", f"v{version}")


def git(folder: Path, *arguments: str) -> str:
    """The output of git. Raises ReleaseError with what it says."""
    return _run(["git", *arguments], folder)


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if done.returncode:
        raise ReleaseError(f"{' '.join(command[:2])} failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout.strip()


def release(root: Path, version: str, *, publish: bool) -> str:
    """Make the release, and return what to tell. Raises ReleaseError, VersionError or ChangelogError."""
    prepare(root, version)
    if publish:
        check_identity(root)
    with tempfile.TemporaryDirectory(prefix="kimono-release-") as temporary:
        clone = Path(temporary, "clone")
        commit(root, clone, version)
        try:
            names = make_artefacts(clone, root / "dist", source(root))
        except subprocess.CalledProcessError as error:
            raise ReleaseError(f"{error}\n{error.stdout or ''}{error.stderr or ''}".rstrip()) from None
        notes = (root / "dist" / "release-notes.md").read_text(encoding="utf-8")
        if publish:
            take_over(root, clone, version)
    branch = git(root, "rev-parse", "--abbrev-ref", "HEAD")
    made = "".join(f"  dist/{name}\n" for name in names)
    done = (
        f"Committed and tagged v{version}. To publish it: git push --atomic origin {branch} v{version}"
        if publish
        else f"Dry run: no version, tag or file in git has changed. To release: make release VERSION={version} YES=1"
    )
    return f"{notes}\nArtefacts of {version}:\n{made}\n{done}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the release; 2 with a reason if it can't be made."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=__doc__.partition("\n")[0])
    parser.add_argument("version", help="the new version, such as 1.2.3")
    parser.add_argument("--publish", action="store_true", help="commit and tag here (default: dry run)")
    options = parser.parse_args(arguments)
    try:
        print(release(ROOT, options.version, publish=options.publish))
    except (ReleaseError, VersionError, ChangelogError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
