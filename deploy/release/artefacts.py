"""Makes what is released, from the commit that is checked out, into dist/.

The same commit gives the same bytes: files come from git, not from the folder, and the time is the commit's.
`sha256sum --check SHA256SUMS` compares them.
"""

from __future__ import annotations

import hashlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.release.archives import below, pack, unpack
from deploy.release.changelog import section
from deploy.release.dockerfile import image_context
from deploy.release.version import current

ROOT = Path(__file__).resolve().parents[2]
SUMS = "SHA256SUMS"
CHART = Path("deploy", "helm", "kimono-exporter")


def make_artefacts(root: Path, out: Path, address: str | None = None) -> list[str]:
    """Replace the folder `out` by the artefacts of the commit at HEAD of `root`. Returns their names.

    Raises subprocess.CalledProcessError, whose output tells which step failed.
    """
    at = int(_git(root, "log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory(prefix="kimono-release-") as temporary:
        work = Path(temporary)
        tree, made = work / "tree", work / "made"
        _export(root, work, tree)
        made.mkdir()
        version = current(tree)
        environ = _environ(root, at, source(root) if address is None else address)
        _packages(tree, made, environ)
        _python(["-m", "deploy.supply_chain.sbom", made / f"kimono-exporter-{version}.cdx.json"], tree, environ)
        _assets(work, made, version, at)
        if (tree / CHART / "Chart.yaml").exists():
            _chart(tree / CHART, made, at)
        notes = section((tree / "CHANGELOG.md").read_text(encoding="utf-8"), version)
        (made / "release-notes.md").write_text(notes, encoding="utf-8")
        names = sorted(path.name for path in made.iterdir())
        sums = "".join(f"{hashlib.sha256((made / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
        (made / SUMS).write_text(sums, encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(made, out)
    return [*names, SUMS]


def _export(root: Path, work: Path, tree: Path) -> None:
    """The files of the commit, with the permissions that git knows."""
    archive = work / "tree.tar"
    _git(root, "-c", "tar.umask=0022", "archive", "--output", str(archive), "HEAD")
    tree.mkdir()
    unpack(archive, tree)


def source(root: Path) -> str:
    """The address of the repository for a browser, without credentials; empty if it is not known."""
    remotes = _git(root, "remote").split()
    remote = os.environ.get("KIMONO_BUILD_SOURCE") or (
        _git(root, "remote", "get-url", "origin") if "origin" in remotes else ""
    )
    address: str = runpy.run_path(str(ROOT / "setup.py"))["web_address"](remote)
    return address


def _environ(root: Path, at: int, address: str) -> dict[str, str]:
    """What the build is told, because the exported files are no repository."""
    return {
        "KIMONO_BUILD_REVISION": _git(root, "rev-parse", "HEAD"),
        "KIMONO_BUILD_SOURCE": address,
        "SOURCE_DATE_EPOCH": str(at),
        "PYTHONHASHSEED": "0",
    }


def _packages(tree: Path, made: Path, environ: Mapping[str, str]) -> None:
    """The source distribution, and the wheel that is built from it."""
    build = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
    _python(["-c", build, "build_sdist", tree.parent], tree, environ)
    (sdist,) = tree.parent.glob("*.tar.gz")
    unpack(sdist, tree.parent / "sdist")
    (source,) = (tree.parent / "sdist").iterdir()
    # Before the wheel is built, which leaves files there.
    pack(made / sdist.name, below(source, source.name), int(environ["SOURCE_DATE_EPOCH"]))
    _python(["-c", build, "build_wheel", made], source, environ)


def _assets(work: Path, made: Path, version: str, at: int) -> None:
    """Rules, dashboards and runbooks, as the program in the wheel writes them."""
    (wheel,) = made.glob("*.whl")
    shutil.unpack_archive(wheel, work / "wheel", "zip")
    _python(["-m", "exporter", "assets", work / "assets"], work / "wheel", {})
    name = f"kimono-exporter-assets-{version}"
    pack(made / f"{name}.tar.gz", below(work / "assets", name), at)


def _chart(chart: Path, made: Path, at: int) -> None:
    """The chart, as `helm package` names it."""
    values = dict(re.findall(r"(?m)^(name|version): *(\S+)", (chart / "Chart.yaml").read_text(encoding="utf-8")))
    ignore = chart / ".helmignore"
    patterns = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
    # Without a slash, a pattern holds in every folder: in .helmignore, but not in .dockerignore.
    left = image_context(
        chart, "\n".join(each if "/" in each.strip("/") else f"**/{each}" for each in patterns if each)
    )
    files = {f"{values['name']}/{path}": chart / path for path in left}
    pack(made / f"{values['name']}-{values['version']}.tgz", files, at)


def _python(arguments: Sequence[str | Path], tree: Path, environ: Mapping[str, str]) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("KIMONO_")}
    command = [sys.executable, *map(str, arguments)]
    umask = 0o022  # the wheel keeps the permissions of files
    subprocess.run(  # noqa: S603 - fixed words
        command,
        cwd=tree,
        env={**plain, "PYTHONPATH": str(tree), **environ},
        umask=umask,
        capture_output=True,
        text=True,
        check=True,
    )


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603 - fixed words


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the artefacts of HEAD and list them; 1 if a step fails."""
    out = ROOT / "dist"
    if arguments is None and _git(ROOT, "status", "--porcelain", "--untracked-files=no"):
        print("Warning: what is not committed is not in the artefacts.", file=sys.stderr)
    try:
        names = make_artefacts(ROOT, out)
    except subprocess.CalledProcessError as error:
        print(f"{error}\n{error.stdout or ''}{error.stderr or ''}", file=sys.stderr)
        return 1
    print(*(f"dist/{name}" for name in names), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
