"""Tests the source distribution and the wheel: their contents, their metadata, and the README on an index page."""

from __future__ import annotations

import email
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path
from types import ModuleType

import pytest
from readme_renderer import markdown

from deploy.release.archives import unpack
from exporter import __version__
from tests.release.repositories import REMOTE, ROOT, git, repository

BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
SOURCE = REMOTE.removesuffix(".git")
# The second kind is of the renderer: each heading leads to itself.
ADDRESS = r"https?://|#user-content-"
LINKED = re.compile(r'(?:href|src)="([^"]*)"')


def built(kind: str, source: Path, out: Path, **environ: str) -> Path:
    """Build a distribution, as a front end does."""
    environ = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": "1795730400", **environ}
    command = [sys.executable, "-c", BUILD, kind, str(out)]
    done = subprocess.run(command, cwd=source, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    """The module setup.py, which does nothing when it is only imported."""
    spec = importlib.util.spec_from_file_location("setup_of_the_project", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a remote, and beside it both distributions, and a wheel from the source distribution."""
    folder = tmp_path_factory.mktemp("package")
    repository(folder / "tree")
    for each in ("tree", "for_wheel"):
        (folder / each).mkdir(exist_ok=True)
    sdist = built("build_sdist", folder / "tree", folder)
    git(folder, "clone", "--quiet", str(folder / "tree"), "clone")
    git(folder / "clone", "config", "remote.origin.url", REMOTE)
    built("build_wheel", folder / "clone", folder)
    unpack(sdist, folder / "unpacked")
    (source,) = (folder / "unpacked").iterdir()
    # Another time, and no repository: the source distribution must have kept both.
    built("build_wheel", source, folder / "for_wheel", SOURCE_DATE_EPOCH="1795730401", KIMONO_BUILD_REVISION="other")
    return folder


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(folder: Path) -> dict[str, bytes]:
    (path,) = folder.glob("*.whl")
    return contents(path)


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, bytes]) -> Message:
    (name,) = (name for name in wheel if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(wheel[name])


def test_the_source_distribution_builds_the_same_wheel(folder: Path, wheel: dict[str, bytes]) -> None:
    (other,) = (folder / "for_wheel").glob("*.whl")
    assert contents(other) == wheel


def test_the_wheel_has_all_that_is_committed_and_nothing_else(wheel: dict[str, bytes]) -> None:
    package = {path.relative_to(ROOT) for path in (ROOT / "exporter").rglob("*") if path.is_file()}
    package |= {Path("exporter/assets/runbooks", path.name) for path in (ROOT / "docs/runbooks").glob("*.md")}
    expected = {str(path) for path in package if "__pycache__" not in path.parts}
    found = {name for name in wheel if ".dist-info/" not in name}
    assert found - {"exporter/_build.py"} == expected
    assert "exporter/py.typed" in found
    assert sum(name.endswith(".json") for name in found) >= 4


def test_the_source_distribution_has_licence_changelog_and_pinned_requirements_but_no_tests(folder: Path) -> None:
    (path,) = folder.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        assert not [each for each in archive.getmembers() if each.issym() or each.islnk()]
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"LICENSE", "CHANGELOG.md", "SECURITY.md", "requirements.txt", "requirements-build.txt"}
    assert not [name for name in names if name.startswith(("tests", "bench", "docs"))]


def test_metadata_say_what_it_is_and_where_it_is(metadata: Message, folder: Path) -> None:
    commit = git(folder / "tree", "rev-parse", "HEAD")
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert dict(url.split(", ") for url in metadata.get_all("Project-URL", [])) == {
        "Homepage": SOURCE,
        "Source": SOURCE,
        "Issues": f"{SOURCE}/issues",
        "Documentation": f"{SOURCE}/blob/{commit}/README.md",
        "Changelog": f"{SOURCE}/blob/{commit}/CHANGELOG.md",
    }
    classifiers = metadata.get_all("Classifier", [])
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= set(classifiers)
    assert "Typing :: Typed" in classifiers
    assert "prometheus" in metadata["Keywords"]


def test_the_readme_renders_on_an_index_page_and_each_link_has_an_address(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    page = markdown.render(str(metadata.get_payload()))
    assert page is not None
    linked = LINKED.findall(page)
    assert len(linked) > 5
    assert [each for each in linked if not re.match(ADDRESS, each)] == []


def test_each_link_of_the_readme_leads_to_a_file_of_the_commit(metadata: Message, folder: Path) -> None:
    commit = git(folder / "tree", "rev-parse", "HEAD")
    paths = re.findall(rf"{re.escape(SOURCE)}/(?:blob|raw)/{commit}/([^)#\s]+)", str(metadata.get_payload()))
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


README = """\
![Picture](docs/a.png)

[One](docs/one.md#part), [two](#below) and [three](https://t.example.net). `[code](docs/x.md)`

[![Badge](docs/b.png)](docs/two.md)

    [indented](docs/x.md)

```sh
[block](docs/x.md)
```
"""


def test_relative_links_lead_to_the_repository_but_code_stays(setup: ModuleType) -> None:
    text = setup.readme(README, {"source": "https://h/a", "revision": "abc-modified"})
    assert text.splitlines() == [
        "![Picture](https://h/a/raw/abc/docs/a.png)",
        "",
        (
            "[One](https://h/a/blob/abc/docs/one.md#part), [two](https://h/a/blob/abc/README.md#below) and "
            "[three](https://t.example.net). `[code](docs/x.md)`"
        ),
        "",
        "[![Badge](https://h/a/raw/abc/docs/b.png)](https://h/a/blob/abc/docs/two.md)",
        *README.splitlines()[5:],
    ]


def test_without_a_known_repository_a_relative_link_is_its_text(setup: ModuleType) -> None:
    text = setup.readme(README, {"source": "", "revision": ""})
    assert text.splitlines() == [
        "Picture",
        "",
        "One, two and [three](https://t.example.net). `[code](docs/x.md)`",
        "",
        "Badge",
        *README.splitlines()[5:],
    ]
    page = markdown.render(
        setup.readme((ROOT / "README.md").read_text(encoding="utf-8"), {"source": "", "revision": ""})
    )
    assert [each for each in LINKED.findall(page) if not re.match(ADDRESS, each)] == []
    assert setup.urls({"source": "", "revision": ""}) == {}


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://h.example.net/a/b.git", "https://h.example.net/a/b"),
        ("https://h.example.net/a/b/", "https://h.example.net/a/b"),
        ("https://user:S3CR3T@h.example.net/a/b.git", "https://h.example.net/a/b"),
        ("git@h.example.net:a/b.git", "https://h.example.net/a/b"),
        ("ssh://git@h.example.net:2222/a/b.git", "https://h.example.net/a/b"),
        ("/srv/git/b.git", ""),
        ("../b", ""),
        ("file:///srv/git/b", ""),
        ("C:/b", ""),
        ("", ""),
    ],
)
def test_the_address_of_a_repository_has_no_credentials(remote: str, address: str, setup: ModuleType) -> None:
    assert setup.web_address(remote) == address


def test_a_checkout_without_git_builds_as_well(tmp_path: Path) -> None:
    tree = repository(tmp_path / "tree")
    shutil.rmtree(tree / ".git")
    path = built("build_wheel", tree, tmp_path)
    (name,) = (name for name in contents(path) if name.endswith("METADATA"))
    message = email.message_from_bytes(contents(path)[name])
    assert message.get_all("Project-URL") is None
    assert message["Version"] == __version__
