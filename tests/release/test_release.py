"""Tests `make release` on a temporary clone: what it makes, what it changes, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.release.__main__ import NO_DIGEST, ReleaseError, commit, main, prepare, release
from deploy.release.artefacts import make_artefacts
from deploy.release.changelog import ChangelogError, newest, released, section
from deploy.release.version import VersionError, check_newer, current, problems, set_version
from exporter import __version__
from tests.release.repositories import REMOTE, ROOT, git, repository

NEXT = "99.0.0"
SOURCE = REMOTE.removesuffix(".git")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("origin") / "a")


@pytest.fixture
def clone(origin: Path, tmp_path: Path) -> Path:
    """A clone to change."""
    git(tmp_path, "clone", "--quiet", str(origin), "clone")
    for name in ("user.name", "user.email", "remote.origin.url"):
        git(tmp_path / "clone", "config", name, git(origin, "config", name))
    return tmp_path / "clone"


@pytest.fixture(scope="module")
def dry(origin: Path) -> str:
    """What a dry run says."""
    return release(origin, NEXT, publish=False)


@pytest.fixture(scope="module")
def published(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which the version is released."""
    folder = tmp_path_factory.mktemp("published") / "clone"
    shutil.copytree(origin, folder, symlinks=True, ignore=shutil.ignore_patterns("dist"))
    assert (folder / ".git").is_dir()
    said = release(folder, NEXT, publish=True)
    assert f"git push --atomic origin main v{NEXT}" in said
    return folder


def test_without_an_identity_a_release_is_refused_before_anything_is_made(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git(clone, "config", "--unset", "user.email")
    with pytest.raises(ReleaseError, match=r"does not know who .*git config user\.email"):
        release(clone, NEXT, publish=True)
    assert not (clone / "dist").exists()


def test_a_dry_run_needs_no_identity(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for name in ("user.name", "user.email"):
        git(clone, "config", "--unset", name)
    commit(clone, tmp_path / "made", NEXT)
    assert git(tmp_path / "made", "log", "-1", "--format=%an %s") == f"dry run Release {NEXT}"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_dry_run_makes_all_artefacts_and_changes_nothing(origin: Path, dry: str) -> None:
    assert git(origin, "status", "--porcelain") == git(origin, "tag", "--list") == ""
    assert git(origin, "log", "--format=%s") == "Begin"
    assert current(origin) == __version__
    charts = [f"kimono-exporter-{NEXT}.tgz"] if (ROOT / "deploy/helm/kimono-exporter/Chart.yaml").exists() else []
    made = [
        "SHA256SUMS",
        *charts,
        f"kimono-exporter-{NEXT}.cdx.json",
        f"kimono-exporter-assets-{NEXT}.tar.gz",
        f"kimono_exporter-{NEXT}-py3-none-any.whl",
        f"kimono_exporter-{NEXT}.tar.gz",
        "release-notes.md",
    ]
    assert names(origin / "dist") == sorted(made)
    assert all(f"  dist/{name}\n" in dry for name in made)
    assert dry.endswith(
        f"Dry run: no version, tag or file in git has changed. To release: make release VERSION={NEXT} YES=1"
    )


def test_no_command_and_no_artefact_has_the_credentials_of_the_remote(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any user of the machine can read the arguments of a process."""
    git(clone, "config", "remote.origin.url", REMOTE.replace("//", "//user:Pa55w0rd@"))
    monkeypatch.delenv("KIMONO_BUILD_SOURCE", raising=False)
    run, seen = subprocess.run, []

    def recorded(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        seen.append(f"{command} {options.get('env')}")
        done: subprocess.CompletedProcess[Any] = run(command, **options)
        return done

    monkeypatch.setattr(subprocess, "run", recorded)
    release(clone, NEXT, publish=False)
    assert len(seen) > 10
    assert [each for each in seen if "Pa55w0rd" in each] == []
    with zipfile.ZipFile(clone / "dist" / f"kimono_exporter-{NEXT}-py3-none-any.whl") as wheel:
        assert f"'source': '{SOURCE}'" in wheel.read("exporter/_build.py").decode()


@pytest.mark.parametrize("base", ["python:3.13-slim", f"python:3.13-slim@sha256:{'a' * 64}"])
def test_a_release_warns_if_the_base_of_the_image_has_no_digest(
    base: str, clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dockerfile = clone / "Dockerfile"
    text = re.sub("(?m)^ARG PYTHON_IMAGE=.*$", f"ARG PYTHON_IMAGE={base}", dockerfile.read_text())
    dockerfile.write_text(f"{text}# Changed.\n")
    git(clone, "commit", "--quiet", "--all", "--message", "x")
    prepare(clone, NEXT)
    said = capsys.readouterr().err
    assert said == ("" if "@" in base else f"release: warning: {NO_DIGEST}\n")


def test_a_release_is_one_commit_with_an_annotated_tag(published: Path) -> None:
    assert git(published, "log", "--format=%s").splitlines() == [f"Release {NEXT}", "Begin"]
    assert git(published, "status", "--porcelain") == ""
    assert git(published, "cat-file", "-t", f"v{NEXT}") == "tag"
    assert git(published, "rev-parse", f"v{NEXT}^{{commit}}") == git(published, "rev-parse", "main")
    message = git(published, "tag", "--list", "--format=%(contents)", f"v{NEXT}")
    assert message.startswith(f"kimono-exporter {NEXT}\n\n")
    assert "### Added" in message


def test_the_version_is_changed_wherever_it_is(published: Path) -> None:
    assert current(published) == NEXT
    assert list(problems(published, f"v{NEXT}")) == []
    changelog = (published / "CHANGELOG.md").read_text(encoding="utf-8")
    before = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert section(changelog, NEXT) == section(before, "Unreleased")
    assert re.search(rf"(?m)^## \[Unreleased\]\n\n## \[{NEXT}\] - \d{{4}}-\d\d-\d\d$", changelog)
    with pytest.raises(ChangelogError, match="has no entry"):
        section(changelog, "Unreleased")


def test_checksums_are_right_and_a_change_is_seen(published: Path) -> None:
    dist = published / "dist"
    sums = dict(reversed(line.split("  ")) for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert sorted(sums) == [name for name in names(dist) if name != "SHA256SUMS"]
    assert all(hashlib.sha256((dist / name).read_bytes()).hexdigest() == value for name, value in sums.items())


def test_the_same_commit_gives_the_same_bytes_elsewhere_and_later(published: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--branch", f"v{NEXT}", str(published), "a-longer-name")
    git(tmp_path / "a-longer-name", "config", "remote.origin.url", REMOTE)
    (tmp_path / "a-longer-name" / "exporter" / "not_committed.py").write_text("x = 1\n")
    before = os.umask(0o077)
    try:
        make_artefacts(tmp_path / "a-longer-name", tmp_path / "out")
    finally:
        os.umask(before)
    assert (tmp_path / "out/SHA256SUMS").read_text() == (published / "dist/SHA256SUMS").read_text()


def test_the_artefacts_have_the_version_the_revision_and_links_to_the_source(published: Path) -> None:
    dist, revision = published / "dist", git(published, "rev-parse", "HEAD")
    with zipfile.ZipFile(dist / f"kimono_exporter-{NEXT}-py3-none-any.whl") as wheel:
        metadata = wheel.read(f"kimono_exporter-{NEXT}.dist-info/METADATA").decode()
        assert f"'revision': '{revision}'" in wheel.read("exporter/_build.py").decode()
    assert f"\nProject-URL: Changelog, {SOURCE}/blob/{revision}/CHANGELOG.md\n" in metadata
    document = json.loads((dist / f"kimono-exporter-{NEXT}.cdx.json").read_text())
    assert document["metadata"]["component"]["version"] == NEXT
    with tarfile.open(dist / f"kimono-exporter-assets-{NEXT}.tar.gz") as archive:
        folders = {name.split("/")[1] for name in archive.getnames()}
        rules = archive.extractfile(f"kimono-exporter-assets-{NEXT}/alerts/kimono.rules.yaml")
        assert rules is not None
        assert f"runbook_url: {SOURCE}/blob/{revision}/docs/runbooks/KimonoSyncOverdue.md\n" in rules.read().decode()
    assert folders == {"alerts", "dashboards", "runbooks"}
    changelog = (published / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (dist / "release-notes.md").read_text() == section(changelog, NEXT)


def dirty(clone: Path) -> None:
    (clone / "README.md").write_text("changed")


def untracked(clone: Path) -> None:
    (clone / "new.txt").write_text("new")


def tagged(clone: Path) -> None:
    git(clone, "tag", f"v{NEXT}")


def without_entries(clone: Path) -> None:
    path = clone / "CHANGELOG.md"
    path.write_text(released(path.read_text(), "98.0.0", "2026-01-01"))
    git(clone, "commit", "--quiet", "--all", "--message", "x")


def detached(clone: Path) -> None:
    git(clone, "checkout", "--quiet", "--detach")


@pytest.mark.parametrize(
    ("change", "version", "said"),
    [
        (dirty, NEXT, "there are changes that are not committed: commit or stash them\nM README.md"),
        (untracked, NEXT, "there are changes that are not committed: commit or stash them\n?? new.txt"),
        (tagged, NEXT, f"the tag v{NEXT} exists: choose another version"),
        (without_entries, NEXT, "the section [Unreleased] of CHANGELOG.md has no entry"),
        (detached, NEXT, "no branch is checked out: git switch main"),
        (lambda _: None, __version__, f"the version {__version__} is not greater than {__version__}"),
        (lambda _: None, "0.0.9", f"the version 0.0.9 is not greater than {__version__}"),
        (lambda _: None, "v1.2.3", "the version 'v1.2.3' does not have the form 1.2.3"),
        (lambda _: None, "1.2", "the version '1.2' does not have the form 1.2.3"),
        (lambda _: None, "01.2.3", "the version '01.2.3' does not have the form 1.2.3"),
    ],
)
def test_what_can_not_be_released_is_refused(
    change: Callable[[Path], None], version: str, said: str, clone: Path
) -> None:
    change(clone)
    head = git(clone, "rev-parse", "HEAD")
    with pytest.raises((ReleaseError, VersionError, ChangelogError)) as error:
        release(clone, version, publish=True)
    assert said in str(error.value)
    assert git(clone, "rev-parse", "HEAD") == head
    assert not (clone / "dist").exists()


def test_a_version_that_can_be_released_is_not_refused(clone: Path) -> None:
    prepare(clone, NEXT)


def test_the_command_says_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["1.2"]) == 2
    assert capsys.readouterr().err == "release: the version '1.2' does not have the form 1.2.3\n"


def test_a_step_that_fails_changes_nothing_and_shows_its_output(clone: Path) -> None:
    (clone / "setup.py").write_text("raise SystemExit('this step is broken')\n")
    git(clone, "commit", "--quiet", "--all", "--message", "x")
    with pytest.raises(ReleaseError, match="this step is broken"):
        release(clone, NEXT, publish=True)
    assert git(clone, "tag", "--list") == git(clone, "status", "--porcelain") == ""


def test_what_repeats_the_version_is_compared_and_changed(clone: Path) -> None:
    chart = clone / "deploy/helm/kimono-exporter/Chart.yaml"
    chart.parent.mkdir(parents=True, exist_ok=True)
    chart.write_text('name: kimono-exporter\nversion: 0.0.1\nappVersion: "0.0.1"\nother: {version: 5.5.5}\n')
    (clone / "deploy/more.yaml").write_text("image: kimono-exporter:0.0.2\nimage: other:0.0.2\n")
    found = "\n".join(problems(clone))
    assert "deploy/helm/kimono-exporter/Chart.yaml:3 has another version" in found
    assert "deploy/more.yaml:1 has another version" in found
    assert len(found.splitlines()) == 2
    set_version(clone, NEXT)
    assert (
        chart.read_text()
        == f'name: kimono-exporter\nversion: {NEXT}\nappVersion: "{NEXT}"\nother: {{version: 5.5.5}}\n'
    )
    assert (clone / "deploy/more.yaml").read_text() == f"image: kimono-exporter:{NEXT}\nimage: other:0.0.2\n"
    found = "\n".join(problems(clone, "v1.0.0"))
    assert f"{NEXT}, the version in exporter/__init__.py, is not the newest section of CHANGELOG.md" in found
    assert f"the tag v1.0.0 is not v{NEXT}" in found


def test_the_version_of_this_checkout_is_one() -> None:
    if (ROOT / ".git").exists():
        assert list(problems(ROOT)) == []
    assert newest((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")) == __version__
    assert (
        "version" in (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("dynamic = [")[2].partition("]")[0]
    )


def test_versions_are_compared_by_their_numbers() -> None:
    check_newer("0.10.0", "0.9.9")
    with pytest.raises(VersionError, match="not greater"):
        check_newer("0.9.9", "0.10.0")


def test_make_release_asks_for_a_version_and_is_dry_by_default() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "release: check" in makefile
    done = subprocess.run(
        ["make", "--dry-run", "release", "VERSION=1.2.3"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "--publish" not in done.stdout
    done = subprocess.run(
        ["make", "--dry-run", "release", "VERSION=1.2.3", "YES=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "-m deploy.release 1.2.3 --publish" in done.stdout
