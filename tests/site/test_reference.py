"""Tests that the generated references of commands and alerts are complete."""

from __future__ import annotations

import re

import pytest

from docs.alert_reference import alert_reference_markdown
from docs.command_reference import COMMANDS, commands_reference
from exporter.arguments import parsed
from exporter.settings import LEAVES
from tests.site.pages import DOCS
from tests.support.rules import ALERTING, SEVERITIES


def help_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        parsed([command, "--help"])
    return capsys.readouterr().out


def test_the_pages_are_what_the_code_makes() -> None:
    assert (DOCS / "alert-reference.md").read_text(encoding="utf-8") == alert_reference_markdown()
    assert (DOCS / "commands.md").read_text(encoding="utf-8").endswith(commands_reference())


def test_every_command_is_in_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(["--help"])
    listed = re.findall(r"^ {4}([a-z]+)(?: |$)", capsys.readouterr().out, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    assert re.findall(r"^### `(\w+)`$", commands_reference(), re.MULTILINE) == [*COMMANDS]
    overview = (DOCS / "commands.md").read_text(encoding="utf-8").partition("## Exit codes")[0]
    assert [name for name in COMMANDS if not re.search(rf"^\| `{name}\b", overview, re.MULTILINE)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_of_a_command_is_in_the_reference(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    section = commands_reference().partition(f"### `{command}`\n")[2].partition("\n### ")[0]
    settings = {leaf.flag for leaf in LEAVES.values()} | {"--help"}
    flags = set(re.findall(r"^ {2}(?:-h, )?(--[a-z.-]+)", help_of(command, capsys), re.MULTILINE))
    assert set(re.findall(r"^\| `(--[a-z.-]+)", section, re.MULTILINE)) == flags - settings
    assert ("for every [setting]" in section) == bool(flags & settings - {"--help"})


def test_every_rule_of_an_alert_is_in_the_reference() -> None:
    page = alert_reference_markdown()
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == list(dict.fromkeys(rule["alert"] for rule in ALERTING))
    assert {*SEVERITIES} == {*re.findall(r"^## (\w+)$", page, re.MULTILINE)}
    for rule in ALERTING:
        assert rule["expr"].strip() in page
        assert f"`{rule['annotations']['summary']}`" in page
        assert f"`{rule['annotations']['description']}`" in page
    assert page.count("\n- Severity: ") == len(ALERTING)
