"""How does one read an object that may hold anything?

`Fields` gives typed members of a JSON object. A member that is null or missing is None; one that can't be
read is None too and is reported, by its name in the reference and never by its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

# Names are for people; one longer than this is not a name, and would bloat every page.
_LONGEST_TEXT = 1024
# Ids go into paths and labels. The reference says UUIDs; any plain word is let through.
_IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
# Metrics are floating-point numbers; beyond this they skip whole ones, and far beyond it they end.
_LARGEST_NUMBER = 2**53
# Enumerations are open-ended: an unknown value passes if it looks like one, and not like prose.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,63}")

Report = Callable[[str], None]


class Fields:
    """A JSON object with typed access; `report` is called with the dotted name of each unreadable member."""

    def __init__(self, raw: Mapping[str, Any], report: Report, place: str = "") -> None:
        self.raw = raw
        self._report = report
        self._place = place

    def invalid(self, name: str) -> None:
        """Report that a member is there but can't be read."""
        self._report(self._place + name)

    def text(self, name: str) -> str | None:
        """Text for people to read."""
        return self._matching(name, lambda value: len(value) <= _LONGEST_TEXT)

    def ident(self, name: str = "id") -> str | None:
        """An id; a whole number passes as one."""
        value = self.raw.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_NUMBER:
            return str(value)
        return self._matching(name, _IDENT.fullmatch)

    def word(self, name: str) -> str | None:
        """A value of an enumeration, known or not; empty is as good as missing."""
        if self.raw.get(name) == "":
            return None
        return self._matching(name, _WORD.fullmatch)

    def flag(self, name: str) -> bool | None:
        """A boolean; the text "true" is none."""
        value = self.raw.get(name)
        if value is None or isinstance(value, bool):
            return value
        self.invalid(name)
        return None

    def count(self, name: str, most: int = _LARGEST_NUMBER) -> int | None:
        """A whole number from 0 to `most`."""
        value = self.raw.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most):
            return value
        self.invalid(name)
        return None

    def time(self, name: str) -> float | None:
        """A time in ISO 8601, as Unix seconds. Without a zone it is UTC; before 1970 it is no real time."""
        value = self.raw.get(name)
        if value is None:
            return None
        seconds = _unix(value) if isinstance(value, str) else None
        if seconds is None:
            self.invalid(name)
        return seconds

    def nested(self, name: str) -> Fields:
        """A nested object, empty where it is null or missing."""
        value = self.raw.get(name)
        if value is not None and not isinstance(value, dict):
            self.invalid(name)
        return Fields(value if isinstance(value, dict) else {}, self._report, f"{self._place}{name}.")

    def _matching(self, name: str, accept: Callable[[str], object]) -> str | None:
        value = self.raw.get(name)
        if value is None:
            return None
        # JSON can carry halves of surrogate pairs, which no UTF-8 page can.
        if isinstance(value, str) and accept(value) and (value.isascii() or _encodable(value)):
            return value
        self.invalid(name)
        return None


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unix(value: str) -> float | None:
    try:
        moment = datetime.fromisoformat(value.strip())
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None
