"""Gives typed access to the members of a JSON object that may hold anything.

A member that is null or missing is None. An invalid member is None as well, and is reported: by its name, never
by its value, which may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

# A longer text is not a name, and would bloat every scrape.
_LONGEST_TEXT = 1024
# IDs go into paths and labels. The reference says UUIDs; any plain word is accepted.
_IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
# Samples are floating-point numbers, which are exact for whole numbers up to this one.
_LARGEST_NUMBER = 2**53
# Enumerations are open-ended: an unknown value is accepted if it is one word, not prose.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,63}")
# The end of the year 9999 in UTC, which is the last one that most programs know.
_END_OF_TIME = 253_402_300_800.0
# JSON can carry halves of surrogate pairs, which UTF-8 can't.
_SURROGATE = re.compile(r"[\ud800-\udfff]")

Report = Callable[[str], None]
T = TypeVar("T")


class Fields:
    """A JSON object with typed access; `report` is called with the dotted name of each invalid member."""

    def __init__(self, raw: Mapping[str, Any], report: Report, prefix: str = "") -> None:
        self.raw = raw
        self._report = report
        self._prefix = prefix

    def invalid(self, name: str) -> None:
        """Report that a member is present but invalid."""
        self._report(self._prefix + name)

    def text(self, name: str) -> str | None:
        """Text for people to read."""
        return self._matching(name, lambda value: len(value) <= _LONGEST_TEXT)

    def ident(self, name: str = "id") -> str | None:
        """An ID; a whole number is accepted as well."""
        value = self.raw.get(name)
        return str(value) if _is_count(value, _LARGEST_NUMBER) else self._matching(name, _IDENT.fullmatch)

    def word(self, name: str) -> str | None:
        """A value of an enumeration, known or not; the empty string counts as missing."""
        if self.raw.get(name) == "":
            return None
        return self._matching(name, _WORD.fullmatch)

    def label(self, name: str) -> str:
        """Like `word`, but empty if it is unknown: Prometheus treats an empty label as an absent one."""
        return self.word(name) or ""

    def flag(self, name: str) -> bool | None:
        """A boolean. The text "true" is invalid."""
        value = self.raw.get(name)
        return self._known(name, value if isinstance(value, bool) else None)

    def count(self, name: str, most: int = _LARGEST_NUMBER) -> int | None:
        """A whole number from 0 to `most`."""
        value = self.raw.get(name)
        return self._known(name, value if _is_count(value, most) else None)

    def time(self, name: str) -> float | None:
        """A time in ISO 8601, as Unix seconds. Without a zone it is UTC; outside of 1970 to 9999, it is invalid."""
        value = self.raw.get(name)
        return self._known(name, _unix(value) if isinstance(value, str) else None)

    def nested(self, name: str) -> Fields:
        """A nested object, empty if it is null or missing."""
        value = self.raw.get(name)
        members = self._known(name, value if isinstance(value, dict) else None)
        return Fields(members or {}, self._report, f"{self._prefix}{name}.")

    def _matching(self, name: str, accept: Callable[[str], object]) -> str | None:
        value = self.raw.get(name)
        valid = isinstance(value, str) and accept(value) and (value.isascii() or not _SURROGATE.search(value))
        return self._known(name, value if valid else None)

    def _known(self, name: str, value: T | None) -> T | None:
        """Return the value of a member; report one that is present and has none."""
        if value is None and self.raw.get(name) is not None:
            self.invalid(name)
        return value


def _is_count(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _unix(value: str) -> float | None:
    try:
        moment = datetime.fromisoformat(value.strip())
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < _END_OF_TIME else None
