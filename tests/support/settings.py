"""Loads settings in tests, and returns the lines of their errors; no line may have the secret."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from exporter.flags import all_spelled
from exporter.settings import SettingsError, add_flags, given_flags, load

SECRET = "hunter2-do-not-show"
KEY = {"KIMONO_API_KEY": SECRET}


def problems_of(
    flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None, *, needs_credentials: bool = True
) -> list[str]:
    """The error lines for these settings. Fails the test if one has the secret."""
    with pytest.raises(SettingsError) as caught:
        load(flags or {}, environ or {}, needs_credentials=needs_credentials)
    lines = str(caught.value).splitlines()
    assert lines == [str(problem) for problem in caught.value.problems]
    assert SECRET not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return lines


def only_problem(
    flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None, *, needs_credentials: bool = True
) -> str:
    lines = problems_of(flags, environ, needs_credentials=needs_credentials)
    assert len(lines) == 1, lines
    return lines[0]


def write(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def parsed_flags(*arguments: str) -> dict[str, str]:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)
    return given_flags(parser.parse_args(all_spelled(arguments)))
