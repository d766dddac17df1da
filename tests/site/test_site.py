"""Tests the documentation site: it is built strictly, loads nothing from other hosts, and has no dead link."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from mkdocs.config import load_config
from mkdocs.exceptions import PluginError

from docs.site_hook import indented, on_config, slug
from tests.site import pages
from tests.site.pages import DOCS, ROOT

REPOSITORY = "https://github.com/schools/kimono-exporter"


def build(folder: Path, **environ: str) -> Path:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environ = {"NO_MKDOCS_2_WARNING": "1", "KIMONO_BUILD_SOURCE": "", **environ}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site without the address of a repository."""
    return build(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def of_a_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site with an address as in the settings of a build. For one on this host, the theme can ask its API."""
    address = REPOSITORY.replace("//", "//user:Pa55w0rd@")
    return build(tmp_path_factory.mktemp("site"), KIMONO_BUILD_SOURCE=f"{address}/")


class Found(HTMLParser):
    """Collects the ids of a page, its links, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag != "a":
            self.loaded += [given[name] for name in ("src", "href", "srcset", "poster", "data") if name in given]


@cache
def read(page: Path) -> Found:
    found = Found()
    found.feed(page.read_text(encoding="utf-8"))
    return found


def html(site: Path) -> Iterator[Path]:
    return iter(sorted(page for page in site.rglob("*.html") if page.name != "404.html"))


def test_every_page_of_the_documentation_is_in_it(site: Path) -> None:
    built = {page.relative_to(site).with_suffix(".md").as_posix() for page in html(site)}
    written = {page.relative_to(DOCS).as_posix().replace("README", "index") for page in DOCS.rglob("*.md")}
    assert written <= built
    assert {"project/CHANGELOG.md", "project/CONTRIBUTING.md", "project/SECURITY.md"} <= built


def test_it_loads_nothing_from_other_hosts(site: Path) -> None:
    loaded = {(page.name, url) for page in html(site) for url in read(page).loaded}
    assert loaded
    assert {each for each in loaded if re.match("([a-z]+:)?//", each[1])} == set()
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(\s*[\"']?(?:https?:)?//[^)]*", styles) == []
    assert "@import" not in styles


def test_every_link_within_it_leads_to_a_page_and_an_anchor(site: Path) -> None:
    checked = 0
    for page in html(site):
        for link in read(page).links:
            if re.match("([a-z]+:|//)", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / unquote(path)).resolve() if path else page
            assert target.is_file(), f"{page.name}: {link}"
            if anchor and target.suffix == ".html":
                assert unquote(anchor) in read(target).ids, f"{page.name}: {link}"
            checked += 1
    assert checked > 1000


def test_files_outside_of_the_documentation_are_in_it(site: Path) -> None:
    for name in ("alerts/kimono.rules.yaml", "deploy/kimono-exporter.service", "LICENSE"):
        assert (site / "files" / name).read_bytes() == (ROOT / name).read_bytes()


def test_links_to_programs_lead_to_the_repository_if_its_address_is_known(site: Path, of_a_repository: Path) -> None:
    test = "tests/simulator/test_schedule_calls.py"
    assert test not in "".join(read(site / "sandbox.html").links)
    links = read(of_a_repository / "sandbox.html").links
    assert f"{REPOSITORY}/blob/main/{test}" in links
    assert f"{REPOSITORY}/tree/main/dashboards" in read(of_a_repository / "dashboards.html").links


def test_credentials_in_the_address_of_the_repository_are_in_no_file(of_a_repository: Path) -> None:
    files = [path for path in of_a_repository.rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if b"Pa55w0rd" in path.read_bytes()] == []


def test_the_repository_is_a_plain_link_for_which_no_other_host_is_asked(of_a_repository: Path) -> None:
    for page in html(of_a_repository):
        assert REPOSITORY in read(page).links, page.name
        assert 'data-md-component="source"' not in page.read_text(encoding="utf-8"), page.name


@pytest.mark.parametrize("address", ["https://user:S3/CR3T@h/o/n", "https://h/o/n?token=CR3T", "/srv/CR3T"])
def test_what_is_no_address_of_a_repository_is_refused_and_not_repeated(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIMONO_BUILD_SOURCE", address)
    with pytest.raises(PluginError, match="How to fix: KIMONO_BUILD_SOURCE=https://HOST/OWNER/NAME") as refused:
        on_config(load_config(str(ROOT / "mkdocs.yml")))
    assert "CR3T" not in str(refused.value)


def test_the_search_has_the_pages(site: Path) -> None:
    documents = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    assert any("api.rate_limit" in each["text"] and each["location"].startswith("costs.html") for each in documents)


def test_code_in_lists_is_code(site: Path) -> None:
    text = (site / "runbooks" / "KimonoSyncOverdue.html").read_text(encoding="utf-8")
    assert "```" not in text
    assert re.search(r'<li>\s*<p>Find the schedule[^<]*</p>\s*<div class="[\w -]*highlight">', text)


def test_contents_of_lists_are_indented_by_four_spaces() -> None:
    text = "- a\n  b\n\n  ```sh\n  c\n    d\n  ```\n\n  1. e\n     f\n- g\n\nh\n\n    code\n\n10. i\n    j"
    assert indented(text) == (
        "- a\n    b\n\n    ```sh\n    c\n      d\n    ```\n\n    1. e\n        f\n- g\n\nh\n\n    code\n\n10. i\n    j"
    )


@pytest.mark.parametrize("heading", ["Data age", "/api/status issues", "Mimir, Thanos & Co.", "a_b-c"])
def test_anchors_are_those_of_pages_that_host_code(heading: str) -> None:
    assert slug(heading, "-") == pages.slug(heading)


def test_the_navigation_has_each_runbook() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").replace("!ENV", "")
    (runbooks,) = (each["Runbooks"] for each in yaml.safe_load(text)["nav"] if "Runbooks" in each)
    listed = [next(iter(each.values())) if isinstance(each, dict) else each for each in runbooks]
    assert {*listed} == {f"runbooks/{page.name}" for page in (DOCS / "runbooks").glob("*.md")}
