"""Tests that the committed rules are what the code makes, and that links and thresholds are parameters."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from alerts.__main__ import main
from exporter.thresholds import THRESHOLDS
from tests.support.processes import needed
from tests.support.rules import RULES, groups

NAMES = ["kimono.prometheusrule.yaml", "kimono.rules.yaml"]


def written(folder: Path, *options: str) -> str:
    assert main(["--output", str(folder), *options]) == 0
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    return (folder / "kimono.rules.yaml").read_text(encoding="utf-8")


def test_the_committed_files_are_what_the_code_makes() -> None:
    assert main(["--check"]) == 0


def test_a_stale_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path)
    assert main(["--check", "--output", str(tmp_path)]) == 0
    (tmp_path / NAMES[0]).write_text("")
    assert main(["--check", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"{tmp_path / NAMES[0]} is stale. How to fix: make alerts\n"
    assert (tmp_path / NAMES[0]).read_text() == ""


def test_the_rule_of_the_operator_has_the_same_groups() -> None:
    made = yaml.safe_load((RULES.parent / NAMES[0]).read_text(encoding="utf-8"))
    assert (made["apiVersion"], made["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert made["spec"]["groups"] == groups()


def test_links_have_two_bases(tmp_path: Path) -> None:
    text = written(
        tmp_path, "--runbook-url", "https://wiki.example.net/k/", "--dashboard-url", "http://g.example.net:3000"
    )
    assert "_url: runbooks" not in text
    assert "_url: '/d" not in text
    assert "runbook_url: https://wiki.example.net/k/KimonoSyncOverdue.md\n" in text
    assert "dashboard_url: http://g.example.net:3000/d/kimono-fleet\n" in text


def test_a_threshold_is_a_literal_wherever_it_is_compared(tmp_path: Path) -> None:
    text = written(tmp_path, "--threshold", "sync_overdue=90m", "--threshold", "fleet_share=0.5")
    assert "kimono_schedule_missed_since_timestamp_seconds < time() - 90 * 60" in text
    assert "[5400s]" in text
    assert ">= 0.5" in text


@pytest.mark.parametrize("name", THRESHOLDS)
def test_every_threshold_that_the_rules_use_can_be_changed_and_the_rules_load(name: str, tmp_path: Path) -> None:
    value = {"seconds": "1h31m", "ratio": "0.77", "count": "17"}[THRESHOLDS[name].unit]
    text = written(tmp_path, "--threshold", f"{name}={value}")
    is_of_the_exporter = name == "long_pause"
    assert (text == RULES.read_text(encoding="utf-8")) is is_of_the_exporter
    command = [needed("promtool"), "check", "rules", str(tmp_path / "kimono.rules.yaml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--threshold", "sync_late=2h"], "--threshold: there is no threshold 'sync_late'; did you mean sync_stale?"),
        (["--threshold", "sync_overdue"], "--threshold is not NAME=VALUE, such as sync_overdue=90m"),
        (["--threshold", "sync_overdue=soon"], "--threshold: sync_overdue: the value is not a duration"),
        (["--threshold", "sync_overdue=30"], "sync_overdue must be a minute at least"),
        (["--threshold", "sync_overdue=90.5"], "sync_overdue must be whole seconds"),
        (["--threshold", "fleet_share=30"], "fleet_share must lie between 0 and 1"),
        (["--threshold", "fleet_tenants=2.5"], "fleet_tenants must be a whole number, 1 at least"),
        (["--threshold", "fleet_tenants=nan"], "fleet_tenants must be a whole number, 1 at least"),
        (["--threshold", "fleet_share=nan"], "fleet_share must lie between 0 and 1"),
        (["--runbook-url", "wiki"], "--runbook-url is not a URL such as https://"),
        (["--unknown"], "unrecognized arguments: --unknown"),
    ],
)
def test_an_option_that_can_not_be_used_is_one_line_and_exit_code_two(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main([*options, "--check"])
    except SystemExit as end:
        code = end.code
    error = capsys.readouterr().err
    assert code == 2
    assert said in error
    assert error.count("\n") == 1


def test_a_folder_that_can_not_be_written_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--output", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.startswith("--output: ")


def test_the_help_lists_every_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"  {name}\n" in text for name in THRESHOLDS)
    assert "Default: 2h." in text
