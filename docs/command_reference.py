"""Writes the reference of all commands, from the parser of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from exporter.arguments import parser_of
from exporter.settings import LEAVES

COMMANDS = ("run", "demo", "drill", "simulate", "check", "once", "healthcheck", "metrics", "assets")
_NO_SETTINGS = ("drill", "simulate", "metrics", "assets")
_HEAD = "| argument | meaning |\n|---|---|\n"


def commands_reference() -> str:
    """A section for each command: what it does, and the arguments that are not settings."""
    return "\n".join(_section(name) for name in COMMANDS)


def _section(name: str) -> str:
    command = parser_of(name)[1]
    if command is None:
        raise SystemExit(f"no such command: {name}")
    rows = "".join(_rows(command))
    parts = (command.description, _settings(name), f"{_HEAD}{rows}".rstrip() if rows else "")
    return f"### `{name}`\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def _settings(name: str) -> str:
    if name == "assets":
        return "[Thresholds](alerts.md#thresholds) has the names of the thresholds."
    if name in _NO_SETTINGS:
        return ""
    less = ", but not for credentials, the address of the API and `state.file`" if name == "demo" else ""
    return f"It has a flag for every [setting](configuration.md#settings) that is no secret{less}."


def _rows(command: argparse.ArgumentParser) -> Iterator[str]:
    settings = {leaf.flag for leaf in LEAVES.values()}
    for action in command._actions:  # noqa: SLF001 - argparse lists them nowhere else
        flags = action.option_strings
        if action.help == argparse.SUPPRESS or "--help" in flags or settings & {*flags}:
            continue
        value = "" if action.nargs == 0 else f" {action.metavar or '|'.join(map(str, action.choices or ()))}"
        shown = (f"{', '.join(flags)}{value}" if flags else str(action.metavar)).replace("|", "\\|")
        meaning = str(action.help).replace("; see below", "").replace("|", "\\|")
        yield f"| `{shown}` | {meaning} |\n"
