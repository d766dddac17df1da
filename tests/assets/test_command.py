"""Tests `kimono-exporter assets`: what it writes, with which links and thresholds, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from exporter.cli import run_command

ROOT = Path(__file__).parents[2]


def written(folder: Path, *options: str) -> dict[str, str]:
    assert run_command(["assets", str(folder), *options], {}) == 0
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def committed(folder: str, pattern: str) -> dict[str, str]:
    return {path.name: path.read_text() for path in (ROOT / folder).glob(pattern)}


def test_it_writes_what_is_committed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = written(tmp_path / "new")
    boards, alerts = committed("dashboards", "*.json"), committed("alerts", "*.yaml")
    runbooks = committed("docs/runbooks", "*.md")
    assert len(boards) == 4
    assert len(alerts) == 3
    assert len(runbooks) > 20
    names = [f"{folder}/{name}" for folder, of in (("dashboards", boards), ("alerts", alerts)) for name in of]
    assert found.keys() == {*names, *(f"runbooks/{name}" for name in runbooks)}
    assert all(found[f"dashboards/{name}"] == text for name, text in boards.items())
    assert all(found[f"alerts/{name}"] == text for name, text in alerts.items())
    out = capsys.readouterr().out
    assert f"Wrote 4 files to {tmp_path / 'new' / 'dashboards'}\n" in out
    assert out.count("set --runbook-url") == out.count("set --dashboard-url") == 1


def test_no_link_of_a_runbook_leads_out_of_the_folder(tmp_path: Path) -> None:
    found = written(tmp_path)
    for name, text in found.items():
        for target in re.findall(r"\]\(([^)#]+)", text) if name.endswith(".md") else ():
            assert target.startswith("http") or f"runbooks/{target}" in found, (name, target)
    source = (ROOT / "docs/runbooks/KimonoShardMissing.md").read_text()
    assert "](../sharding.md)" in source, "the test needs a link that leads out"


def test_rules_and_dashboards_have_the_given_links_and_thresholds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    links = ("--runbook-url", "https://wiki.example.net/k/", "--dashboard-url", "https://g.example.net")
    found = written(tmp_path, *links, "--threshold", "sync_overdue=91m", "--threshold", "data_age_always=95m")
    assert not re.search(r"_url: '?(runbooks|/d/)|/alerting/list", "".join(found.values()))
    assert "https://wiki.example.net/k/KimonoSyncOverdue.md" in found["alerts/kimono.rules.yaml"]
    boards = [text for name, text in found.items() if name.startswith("dashboards/")]
    assert all("https://wiki.example.net/k/${__data.fields.alertname}.md" in text for text in boards)
    for text in (found["alerts/kimono.rules.yaml"], found["dashboards/kimono-fleet.json"]):
        assert "kimono_schedule_missed_since_timestamp_seconds" in text
        assert "time() - 91 * 60" in text
        assert "time() - 95 * 60" in text
    assert "time() - 2 * 3600" in (ROOT / "dashboards/kimono-fleet.json").read_text()
    assert all(json.loads(text) for text in boards)
    assert "set --" not in capsys.readouterr().out


def test_runbooks_say_which_thresholds_are_not_those_in_their_text(tmp_path: Path) -> None:
    found = written(tmp_path, "--threshold", "sync_overdue=90m", "--threshold", "fleet_share=0.25")
    runbooks = [text for name, text in found.items() if name.startswith("runbooks/")]
    assert runbooks
    assert all(
        "thresholds than the numbers below: `fleet_share` is 0.25, `sync_overdue` is 90m." in text for text in runbooks
    )
    assert all(text.startswith("# ") for text in runbooks)


def test_without_other_thresholds_runbooks_have_no_note(tmp_path: Path) -> None:
    assert not any("other thresholds" in text for text in written(tmp_path).values())


def test_other_files_stay_and_files_of_these_names_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "alerts").mkdir()
    for name in ("alerts/mine.yaml", "alerts/kimono.rules.yaml"):
        (tmp_path / name).write_text("mine")
    found = written(tmp_path)
    assert found["alerts/mine.yaml"] == "mine"
    assert yaml.safe_load(found["alerts/kimono.rules.yaml"])["groups"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--threshold", "sync_late=2h"], "--threshold: there is no threshold 'sync_late'; did you mean sync_stale?"),
        (["--threshold", "S3CR3T=2h"], "--threshold: there is no threshold; there are: data_age, "),
        (["--threshold", "sync_overdue=S3CR3T"], "--threshold: sync_overdue: the value is not a duration such as 90"),
        (["--runbook-url", "S3CR3T"], "--runbook-url is not a URL such as https://wiki.example.net/runbooks"),
        (["--dashboard-url", "https://a/\x7f"], "--dashboard-url is not a URL"),
    ],
)
def test_an_unusable_option_is_one_line_that_shows_no_value(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["assets", str(tmp_path / "out"), *options], {}) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert "S3CR3T" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["file", "file/below", "null\0character", "/proc/nothing"])
def test_an_unusable_folder_is_one_line_and_exit_code_2(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run_command(["assets", str(tmp_path / folder)], {}) == 2
    error = capsys.readouterr().err
    assert error.startswith("kimono-exporter: DIR: can't write into ")
    assert error.count("\n") == 1


def test_the_folder_is_needed_and_the_help_lists_every_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as missing:
        run_command(["assets"], {})
    assert missing.value.code == 2
    with pytest.raises(SystemExit):
        run_command(["assets", "--help"], {})
    assert "  sync_overdue\n    Hubs start late when they are busy. Default: 2h." in capsys.readouterr().out
