"""Defines what is wrong with settings, as lines for the operator."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the settings; `str()` is its line for the operator."""

    setting: str
    message: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.message}"


class SettingsError(Exception):
    """The settings can't be used; `problems` has all that is wrong, `str()` a line for each."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class SettingsTimeoutError(SettingsError):
    """A file with settings or secrets did not respond in time; it may later."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name nearest to a misspelt one, as the end of a sentence; empty if none is near."""
    matches = difflib.get_close_matches(name, tuple(known), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""
