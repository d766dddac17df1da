"""Tests the targets of the image with a fake engine, which prints what it is asked for."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter import __version__
from tests.release.repositories import ROOT, git

DIGEST = f"sha256:{'a' * 64}"
DOCKER = f"""#!/bin/sh
case "$*" in "buildx imagetools inspect python:"*) echo {DIGEST};; *) for each in "$@"; do echo "[$each]"; done;; esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with what the targets read, and the fake engine."""
    tree = tmp_path / "tree"
    (tree / "exporter").mkdir(parents=True)
    for name in ("Makefile", "Dockerfile", "exporter/__init__.py"):
        shutil.copy2(ROOT / name, tree / name)
    git(tree, "init", "--quiet", "--initial-branch=main")
    for name, value in (("user.name", "A"), ("user.email", "a@example.net"), ("remote.origin.url", "../b")):
        git(tree, "config", name, value)
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "x", "--date", "2026-11-26T22:00:00Z")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(DOCKER)
    (tmp_path / "bin" / "docker").chmod(0o755)
    return tree


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": f"{folder.parent / 'bin'}:{os.environ['PATH']}", "HOME": str(folder)}
    command = ["make", "--silent", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def words(folder: Path, *arguments: str) -> list[str]:
    done = make(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line[1:-1] for line in done.stdout.splitlines() if line.startswith("[")]


def test_an_image_knows_what_it_is_built_from(folder: Path) -> None:
    given = words(folder, "image", "IMAGE=a/b:1")
    assert given[:3] == ["build", "--tag", "a/b:1"]
    arguments = dict(each.split("=", 1) for each in given if "=" in each)
    committed = git(folder, "log", "-1", "--format=%ct")
    created = datetime.fromtimestamp(int(committed), UTC)
    assert arguments.pop("CREATED") == f"{created:%Y-%m-%dT%H:%M:%SZ}"
    assert arguments == {
        "KIMONO_BUILD_REVISION": git(folder, "rev-parse", "HEAD"),
        "KIMONO_BUILD_BRANCH": "main",
        "KIMONO_BUILD_SOURCE": "",
        "VERSION": __version__,
        "SOURCE_DATE_EPOCH": committed,
    }
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert [name for name in (*arguments, "CREATED") if f" {name}" not in dockerfile] == []


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://user:S3CR3T@h.example.net/a/b.git", "https://h.example.net/a/b"),
        ("https://h.example.net/a/b/", "https://h.example.net/a/b"),
        ("git@h.example.net:a/b.git", "https://h.example.net/a/b"),
        ("ssh://git@h.example.net:2222/a/b.git", "https://h.example.net/a/b"),
        ("https://h.example.net:8443/a/b.git/", "https://h.example.net/a/b"),
        ("https://user:S3@CR3T@h.example.net/a/b.git", ""),
        ("https://user:S3/CR3T@h.example.net/a/b.git", ""),
        ("https://user:53/CR3T@h.example.net/a/b.git", ""),
        ("https://h.example.net/a/b?private_token=S3CR3T", ""),
        ("user:S3CR3T@h.example.net:a/b.git", ""),
        ("/srv/git/b.git", ""),
        ("file:///srv/git/b", ""),
    ],
)
def test_the_address_of_the_source_is_that_of_a_browser_without_credentials(
    remote: str, address: str, folder: Path
) -> None:
    assert runpy.run_path(str(ROOT / "setup.py"))["web_address"](remote) == address
    git(folder, "config", "remote.origin.url", remote)
    assert f"KIMONO_BUILD_SOURCE={address}" in words(folder, "image")


def test_an_image_is_released_only_on_a_base_with_a_digest(folder: Path) -> None:
    text = (folder / "Dockerfile").read_text()
    plain = text.partition("ARG PYTHON_IMAGE=")[2].partition("\n")[0].partition("@")[0]
    (folder / "Dockerfile").write_text(re.sub("@sha256:.*", "", text))
    refused = make(folder, "image-release", "IMAGE=a/b:1")
    assert refused.returncode == 2
    assert refused.stdout == "The base image has no digest. How to fix: make image-pin, and commit the Dockerfile\n"
    assert make(folder, "image-pinned").stdout == refused.stdout
    assert make(folder, "image-pinned", f"PYTHON_IMAGE={plain}@{DIGEST}").returncode == 0
    given = words(folder, "image-release", "IMAGE=a/b:1", f"PYTHON_IMAGE={plain}@{DIGEST}")
    assert f"PYTHON_IMAGE={plain}@{DIGEST}" in given
    assert given[:2] == ["buildx", "build"]
    assert given[given.index("--platform") + 1] == "linux/amd64,linux/arm64"
    assert {"--sbom=true", "--push"} <= set(given)


def test_pinning_writes_the_digest_and_a_release_accepts_it(folder: Path) -> None:
    for _ in range(2):
        assert make(folder, "image-pin").stdout == f"{DIGEST}\n"
        assert (folder / "Dockerfile").read_text().count(f"@{DIGEST}\n") == 1
    assert words(folder, "image-release", "IMAGE=a/b:1")


def test_an_answer_that_is_no_digest_changes_nothing(folder: Path) -> None:
    before = (folder / "Dockerfile").read_text()
    (folder.parent / "bin" / "docker").write_text("#!/bin/sh\necho not found\n")
    assert make(folder, "image-pin").returncode == 2
    assert (folder / "Dockerfile").read_text() == before
