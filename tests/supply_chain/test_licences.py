"""Tests that every package that is installed with the exporter has a licence that fits its own."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from deploy.supply_chain.licences import licences_markdown
from deploy.supply_chain.requirements import RUNTIME, licence, normal, pinned

ROOT = Path(__file__).parents[2]
# Permissive: they ask for their notice, and nothing of the exporter's own code.
PERMISSIVE = {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "PSF-2.0"}


def test_the_list_is_up_to_date() -> None:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    assert text == licences_markdown(), "docs/licences.md is stale: make docs"
    assert len(re.findall(r"(?m)^\| [a-z]", text)) == len(pinned()) + 1


@pytest.mark.parametrize("name", [each.name for each in pinned()])
def test_each_licence_is_permissive(name: str) -> None:
    assert set(re.split(r" AND | OR ", licence(name))) <= PERMISSIVE


def test_a_package_that_is_not_installed_is_an_error() -> None:
    with pytest.raises(PackageNotFoundError):
        licence("no-such-package")


def test_every_line_of_a_package_is_read_with_its_hashes(tmp_path: Path) -> None:
    hashes = " ".join(f"\\\n    --hash=sha256:{each * 64}" for each in "ab")
    pin = f"b==1.0 ; python_version < '4' {hashes}\n    # via a\n"
    (tmp_path / "r.txt").write_text(f"# made by make\na-c==2 \\\n    --hash=sha256:{'c' * 64}\n{pin}", encoding="utf-8")
    read = pinned(tmp_path / "r.txt")
    assert [(each.name, each.version, len(each.hashes)) for each in read] == [("a-c", "2", 1), ("b", "1.0", 2)]
    assert all(each.hashes for each in pinned(RUNTIME))


def test_names_are_compared_as_the_index_does() -> None:
    assert normal("Prometheus_client") == normal("prometheus.client") == "prometheus-client"


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_requirements_name_no_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert "index-url" not in text
