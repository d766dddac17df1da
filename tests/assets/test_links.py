"""Tests where links lead by default: nowhere that a user must replace, and to the own revision of a built package."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from exporter.assets import LINKS, Links, assets, built_links
from exporter.cli import run_command

ROOT = Path(__file__).parents[2]
SOURCE = "https://git.example.net/a/kimono-exporter"
BUILT = {"source": SOURCE, "revision": "f" * 40}


def test_a_built_package_links_to_the_runbooks_of_its_own_revision() -> None:
    runbooks = f"{SOURCE}/blob/{'f' * 40}/docs/runbooks"
    assert built_links(BUILT) == built_links({**BUILT, "revision": f"{'f' * 40}-modified"}) == Links(runbooks, "")


@pytest.mark.parametrize("build", [{}, {"source": SOURCE}, {"revision": "f" * 40}])
def test_without_a_known_repository_links_have_no_address(build: dict[str, str]) -> None:
    assert built_links(build) == LINKS == Links("runbooks", "")


def test_a_dashboard_leads_to_a_runbook_with_an_address_or_else_to_the_rule_in_grafana() -> None:
    assert Links("https://wiki.example.net/k", "").alert_page("A") == "https://wiki.example.net/k/A.md"
    assert LINKS.alert_page("A") == "/alerting/list?search=A"


def test_the_command_uses_the_links_of_the_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("exporter.cli.build", lambda: BUILT)
    assert run_command(["assets", str(tmp_path)], {}) == 0
    runbooks = built_links(BUILT).runbooks
    assert f"runbook_url: {runbooks}/KimonoSyncOverdue.md\n" in (tmp_path / "alerts/kimono.rules.yaml").read_text()
    boards = [path.read_text() for path in (tmp_path / "dashboards").iterdir()]
    assert all(f"{runbooks}/${{__data.fields.alertname}}.md" in text and json.loads(text) for text in boards)
    said = capsys.readouterr().out
    assert "set --dashboard-url" in said
    assert "set --runbook-url" not in said


def test_no_shipped_file_has_a_link_to_replace() -> None:
    shipped = {name: text for name, text in assets().items() if not name.endswith(".md")}
    deployed = (path for path in (ROOT / "deploy").rglob("*") if path.suffix in (".yaml", ".service", ".socket"))
    # Values in ci/ are those of tests. Comments may have examples.
    texts = {str(path): path.read_text(encoding="utf-8") for path in deployed if path.parent.name != "ci"}
    shipped |= {name: re.sub(r"(?m)^\s*#.*$", "", text) for name, text in texts.items()}
    assert len(shipped) > 10
    to_replace = re.compile(r"https?://[\w.-]*example\.(org|com|net)|CHANGE-?ME")
    assert [name for name, text in shipped.items() if to_replace.search(text)] == []
