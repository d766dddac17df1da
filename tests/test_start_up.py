"""Tests that what needs no command is answered without loading one: that takes seconds on a slow machine."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

SLOW = {
    *("aiohttp", "asyncio", "bcrypt", "jinja2", "prometheus_client", "pydantic", "pydantic_settings", "rich", "ssl"),
    *("structlog", "yaml", "exporter.cli", "exporter.settings", "exporter.api"),
}
RUN = """
import json, sys
from exporter.__main__ import main
sys.argv[1:] = json.loads(sys.argv[1])
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]))
"""


def run(*arguments: str) -> tuple[list[str], int, set[str]]:
    """The lines that it prints, its exit code, and the modules that it has loaded."""
    command = [sys.executable, "-c", RUN, json.dumps(arguments)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    code, modules = json.loads(lines.pop())
    return lines, code, set(modules)


@pytest.mark.parametrize("argument", ["--version", "--help", "-h"])
def test_the_version_and_the_commands_are_printed_without_loading_a_command(argument: str) -> None:
    lines, code, modules = run(argument)
    assert lines[0].startswith("kimono-exporter, version " if argument == "--version" else "usage: kimono-exporter ")
    assert code == 0
    assert not modules & SLOW


def test_the_help_of_a_command_has_its_settings() -> None:
    lines, code, modules = run("run", "--help")
    assert any(line.strip().startswith("--api.url URL") for line in lines)
    assert code == 0
    assert modules >= SLOW - {"bcrypt"}  # so that the test above can fail
