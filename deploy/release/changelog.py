"""Reads and writes the sections of CHANGELOG.md, which has the form of Keep a Changelog."""

from __future__ import annotations

import re

_UNRELEASED = "## [Unreleased]\n"
_HEADING = re.compile(r"(?m)^## \[(?P<name>[^\]]+)\].*\n")


class ChangelogError(Exception):
    """The changelog can't be used. The text says why."""


def newest(changelog: str) -> str:
    """The newest released version, or an empty text."""
    return next((name for name in _HEADING.findall(changelog) if name != "Unreleased"), "")


def section(changelog: str, name: str) -> str:
    """The text of a section, without its heading. Raises ChangelogError if it is missing or has no entry."""
    found = next((match for match in _HEADING.finditer(changelog) if match["name"] == name), None)
    if found is None:
        raise ChangelogError(f"CHANGELOG.md has no section [{name}]")
    after = _HEADING.search(changelog, found.end())
    text = changelog[found.end() : after.start() if after else None].strip()
    if not re.search(r"(?m)^- ", text):
        raise ChangelogError(f"the section [{name}] of CHANGELOG.md has no entry")
    return f"{text}\n"


def released(changelog: str, version: str, date: str) -> str:
    """The changelog in which what is unreleased has become a version of this date. Raises ChangelogError."""
    section(changelog, "Unreleased")
    if re.search(rf"(?m)^## \[{re.escape(version)}\]", changelog):
        raise ChangelogError(f"CHANGELOG.md already has a section [{version}]")
    return changelog.replace(_UNRELEASED, f"{_UNRELEASED}\n## [{version}] - {date}\n", 1)
