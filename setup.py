"""Tells the package what it is built from: revision, repository and date, links of its README, and its URLs.

The facts come from KIMONO_BUILD_REVISION, KIMONO_BUILD_BRANCH, KIMONO_BUILD_SOURCE (the URL of the repository) and
SOURCE_DATE_EPOCH, or else from git and the clock. A source distribution keeps them for the wheel that is built from it.
All else is in pyproject.toml.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import time
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
BUILD = Path("exporter", "_build.py")
# A remote as git accepts it. A name and a password in it are not taken over.
REMOTE = re.compile(
    r"(?:(?:https?|ssh)://(?:[^@/\s]*@)?(?P<host>[\w.-]+)(?::\d+)?/|[\w.-]+@(?P<of_ssh>[\w.-]+):)"
    r"(?P<path>[\w./~-]+?)(?:\.git)?/?"
)
LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*)\]\((?P<target>[^)\s]+)\)")
IN_CODE = re.compile(r"(^```.*?^```$|^    .*?$|`[^`\n]+`)", re.DOTALL | re.MULTILINE)


def _git(*arguments: str) -> str:
    """The output of git; empty without git, or if this is not the root of a repository: it may lie within another."""
    if not (ROOT / ".git").exists():
        return ""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def web_address(remote: str) -> str:
    """The https address of a remote repository, without credentials; empty for a folder and anything else."""
    match = REMOTE.fullmatch(remote)
    return f"https://{match['host'] or match['of_ssh']}/{match['path']}" if match else ""


def facts() -> dict[str, str]:
    """Branch, revision, date and repository of this build; empty where unknown."""
    if (ROOT / "PKG-INFO").exists() and (ROOT / BUILD).exists():  # a source distribution
        kept: dict[str, str] = ast.literal_eval((ROOT / BUILD).read_text(encoding="utf-8").partition("=")[2].strip())
        return kept
    revision = os.environ.get("KIMONO_BUILD_REVISION", "")
    branch = os.environ.get("KIMONO_BUILD_BRANCH", "")
    source = web_address(os.environ.get("KIMONO_BUILD_SOURCE") or _git("remote", "get-url", "origin"))
    if not revision:
        revision, branch = _git("rev-parse", "HEAD"), branch or _git("rev-parse", "--abbrev-ref", "HEAD")
        if revision and _git("status", "--porcelain", "--untracked-files=no"):
            revision += "-modified"
    at = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    date = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(at))
    return {"branch": branch, "revision": revision, "date": date, "source": source}


def urls(build: dict[str, str]) -> dict[str, str]:
    """The URLs of the package: none if its repository is not known."""
    source, folder = build["source"], f"{build['source']}/blob/{_commit(build)}"
    if not source:
        return {}
    known = {"Homepage": source, "Source": source, "Issues": f"{source}/issues"}
    return known | {"Documentation": f"{folder}/README.md", "Changelog": f"{folder}/CHANGELOG.md"}


def readme(text: str, build: dict[str, str]) -> str:
    """The README for the page of a package index, where no relative link works.

    Links lead to the repository. If that is not known, a link becomes its text, and a picture its description.
    """
    source, commit = build["source"], _commit(build)

    def absolute(match: re.Match[str]) -> str:
        image, shown, target = match["image"], LINK.sub(absolute, match["text"]), match["target"]
        if re.match(r"[a-z]+:", target):
            return f"{image}[{shown}]({target})"
        if not source:
            return shown
        kind = "raw" if image else "blob"
        path = f"README.md{target}" if target.startswith("#") else target
        return f"{image}[{shown}]({source}/{kind}/{commit}/{path})"

    parts = IN_CODE.split(text)
    parts[::2] = (LINK.sub(absolute, part) for part in parts[::2])
    return "".join(parts)


def _commit(build: dict[str, str]) -> str:
    return build["revision"].removesuffix("-modified") or "HEAD"


def _write(folder: str | Path, build: dict[str, str]) -> None:
    (Path(folder) / BUILD).write_text(f"BUILD = {build!r}\n", encoding="utf-8")


class BuildPy(build_py):
    """Also writes `exporter/_build.py`. Not into a checkout that is only linked: there it would become out of date."""

    def run(self) -> None:
        """Build."""
        super().run()
        if not self.editable_mode:
            _write(self.build_lib, facts())


class Sdist(sdist):
    """Also writes `exporter/_build.py`."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Copy the files, and add what is known of the build."""
        super().make_release_tree(base_dir, files)
        _write(base_dir, facts())


if __name__ == "__main__":
    known = facts()
    setup(
        cmdclass={"build_py": BuildPy, "sdist": Sdist},
        project_urls=urls(known),
        long_description=readme((ROOT / "README.md").read_text(encoding="utf-8"), known),
        long_description_content_type="text/markdown",
    )
