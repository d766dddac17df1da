"""Tests that docs/configuration.md is up to date, and that its examples work."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from exporter.flags import flag_of
from exporter.settings import LEAVES, Settings, load, read_tenants_file
from exporter.settings.tree import Leaf
from tests.support.settings import SECRET, write

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(name="generate")
def _generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docs/generate.py, which is a script and in no package."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_configuration_page_is_what_the_code_makes(generate: ModuleType) -> None:
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == generate.configuration_markdown()


@pytest.mark.parametrize("leaf", LEAVES.values(), ids=lambda leaf: leaf.path)
def test_every_setting_is_documented(leaf: Leaf) -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{leaf.path}` |"))

    assert leaf.description
    assert leaf.env in row
    assert leaf.default in row
    assert (f"`{flag_of(leaf.path)}`" in row) == (not leaf.kind.secret)


def blocks_of_yaml(page: str) -> list[Any]:
    return [yaml.safe_load(block.partition("```")[0]) for block in page.split("```yaml\n")[1:]]


def test_the_examples_of_the_configuration_page_are_accepted(tmp_path: Path) -> None:
    tenants, settings, web = blocks_of_yaml((DOCS / "configuration.md").read_text(encoding="utf-8"))
    for entry in tenants:
        write(tmp_path / entry["client_secret_file"], SECRET)
    secret_file = write(tmp_path / "secret", SECRET)
    settings["api"]["client_secret_file"] = secret_file
    loaded = load({"config.file": write(tmp_path / "kimono.yaml", settings)}, {})

    assert [one.name for one in read_tenants_file(Path(write(tmp_path / "tenants.yaml", tenants)))] == [
        "Springfield",
        "Shelbyville",
    ]
    assert loaded.collectors.scoping.enabled
    assert loaded.collectors.scoping.interval == Settings().collectors.scoping.interval
    assert set(web) == {"tls_server_config", "basic_auth_users"}


def test_check_names_the_stale_page_and_writes_nothing(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page: Callable[[], str] = lambda: "new"  # noqa: E731 - it is a value here
    monkeypatch.setattr(generate, "PAGES", ((tmp_path / "one.md", page), (tmp_path / "two.md", page)))
    write(tmp_path / "one.md", "new")
    write(tmp_path / "two.md", "old")

    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/two.md is stale: run python docs/generate.py\n"
    assert (tmp_path / "two.md").read_text(encoding="utf-8") == "old"
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""
