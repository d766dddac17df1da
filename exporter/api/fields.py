"""Gives typed access to the members of a JSON object that may hold anything.

A member that is null or missing is None. An invalid member is None as well, and is reported: by its name, never
by its value, which may be a secret.
"""

from __future__ import annotations

import math
import re
import sys
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

# A longer text is not a name, and would bloat every scrape.
_LONGEST_TEXT = 1024
# Secrets are not shown, so they may be longer: signed ones have thousands of characters.
_LONGEST_SECRET = 65_536
# IDs go into paths and labels. The reference says UUIDs; any plain word is accepted, and so is a number.
_IDENT = re.compile(r"-?[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
# Floating-point numbers, which samples are, are exact for whole numbers up to this one.
_LARGEST_NUMBER = 2**53
# A whole number as an ID or a name: a UUID has so many bits.
_LONGEST_NUMBER = 128
_DIGITS = re.compile(r"\s*(\d{1,16})(?:\.0+)?\s*", re.ASCII)
# Enumerations are open-ended: an unknown value is accepted if it is one word, not prose.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,63}")
# ISO 8601 as servers write it: also in lower case, with a space for the T or before the zone, or with a zone's name.
# Java adds a name in brackets to the offset (RFC 9557).
_TIME = re.compile(
    r"(?P<date>\d{4}(?:-\d\d-\d\d|\d{4}|-?W\d\d(?:-?\d)?))"
    r"(?:(?:T|\s+)(?P<time>\d\d(?::?\d\d(?::?(?P<second>\d\d)(?:[.,]\d+)?)?)?))?"
    r"(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d){0,2})(?:\[[\w/+-]{1,64}\])?)?",
    re.ASCII | re.IGNORECASE,
)
_END_OF_DAY = re.compile(r"24(?::?00){0,2}(?:[.,]0+)?", re.ASCII)
_UTC = ("Z", "UTC", "GMT")
_MINUS = "\N{MINUS SIGN}"  # ISO 8601's own sign for zones to the west
_LONGEST_TIME = 128
# The end of the year 9999 in UTC, which is the last one that most programs know.
_END_OF_TIME = 253_402_300_800.0
_LAST_TIME = math.nextafter(_END_OF_TIME, 0)
# JSON can carry halves of surrogate pairs, which UTF-8 can't.
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Categories of characters that show nothing: separators, control and format characters.
_INVISIBLE = ("Zs", "Zl", "Zp", "Cc", "Cf")
# Others that show nothing on their own: fillers, a blank pattern of Braille, joiners and variation selectors.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(code) for code in range(0xFE00, 0xFE10)}

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
        """Text for people to read, in composed form (NFC), so that equal names are equal. Blank text is empty.

        A number is accepted as well.
        """
        text = self._matching(name, lambda value: len(value) <= _LONGEST_TEXT)
        return text and (composed(text) if is_visible(text) else "")

    def secret(self, name: str) -> str | None:
        """A secret, or a part of credentials, as it is. A number is accepted as well."""
        return self._matching(name, lambda value: len(value) <= _LONGEST_SECRET)

    def ident(self, name: str = "id") -> str | None:
        """An ID; a number is accepted as well."""
        return self._matching(name, _IDENT.fullmatch)

    def word(self, name: str) -> str | None:
        """A value of an enumeration, known or not; the empty string counts as missing. A number is accepted as well."""
        if self.raw.get(name) == "":
            return None
        word = self._matching(name, _WORD.fullmatch)
        return word and sys.intern(word)  # thousands of tenants have the same few

    def label(self, name: str) -> str:
        """Like `word`, but empty if it is unknown: Prometheus treats an empty label as an absent one."""
        return self.word(name) or ""

    def flag(self, name: str) -> bool | None:
        """A boolean. The text "true" and the number 1 are invalid: what they mean here is a guess."""
        value = self.raw.get(name)
        return self._known(name, value if isinstance(value, bool) else None)

    def count(self, name: str, most: int = _LARGEST_NUMBER) -> int | None:
        """A whole number from 0 to `most`; 7.0 and the text "7" are accepted as well."""
        number = _whole(self.raw.get(name))
        return self._known(name, number if number is not None and 0 <= number <= most else None)

    def time(self, name: str) -> float | None:
        """A time in ISO 8601, as Unix seconds. Without a zone it is UTC; outside of 1970 to 9999, it is invalid.

        A number is invalid: it may be in seconds or in milliseconds.
        """
        value = self.raw.get(name)
        return self._known(name, _unix(value) if isinstance(value, str) else None)

    def is_invalid_time(self, name: str) -> bool:
        """Whether there is a time, but not one that can be parsed: then it is unknown, and not "never"."""
        value = self.raw.get(name)
        return value is not None and not (isinstance(value, str) and _unix(value) is not None)

    def nested(self, name: str) -> Fields:
        """A nested object, empty if it is null or missing."""
        value = self.raw.get(name)
        members = self._known(name, value if isinstance(value, dict) else None)
        return Fields(members or {}, self._report, f"{self._prefix}{name}.")

    def _matching(self, name: str, accept: Callable[[str], object]) -> str | None:
        text = plain(self.raw.get(name))
        valid = text is not None and accept(text) and (text.isascii() or not _SURROGATE.search(text))
        return self._known(name, text if valid else None)

    def _known(self, name: str, value: T | None) -> T | None:
        """Return the value of a member; report one that is present and has none."""
        if value is None and self.raw.get(name) is not None:
            self.invalid(name)
        return value


def plain(value: object) -> str | None:
    """The text of a member that should be text but may be a number, as some languages write IDs; None for all else.

    A whole number is written as such, also if it came as `7.0`. One that is not exact as a float has no text.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        exact = math.isfinite(value) and abs(value) <= _LARGEST_NUMBER
        return (str(int(value)) if value.is_integer() else repr(value)) if exact else None
    number = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= _LONGEST_NUMBER
    return str(value) if number else None


def composed(text: str) -> str:
    """Text in composed form (NFC): an é may be one character or two, and both look the same."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_visible(text: str) -> bool:
    """Whether any character of it shows something."""
    if text[:1].isascii() and text[:1].isalnum():  # nearly always, and much faster
        return True
    return any(character not in _BLANKS and unicodedata.category(character) not in _INVISIBLE for character in text)


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        digits = _DIGITS.fullmatch(value)
        return int(digits[1]) if digits else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _LARGEST_NUMBER else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _unix(value: str) -> float | None:
    seconds = _documented(value) or _any_form(value)
    return seconds if seconds is not None and 0 < seconds < _END_OF_TIME else None


def _documented(value: str) -> float | None:
    """A time as the reference writes it, which nearly all are: parsed several times as fast as the others."""
    if len(value) != len("2025-08-15T12:58:46.280Z") or value[10] != "T" or value[-1] != "Z" or not value.isascii():
        return None
    try:
        return datetime.fromisoformat(value).timestamp()
    except (ValueError, OverflowError):  # 24:00:00 is known to Python 3.14
        return None


def _any_form(value: str) -> float | None:
    parts = _TIME.fullmatch(value.strip().replace(_MINUS, "-")) if len(value) <= _LONGEST_TIME else None
    if parts is None:
        return None
    date, time, zone = (part.upper() for part in (parts["date"], parts["time"] or "00", parts["zone"] or "Z"))
    later = timedelta()
    if parts["second"] == "60":  # Unix time has no leap seconds: it is the first second of the next minute
        time, later = time[: parts.end("second") - parts.start("time") - 2] + "59", timedelta(seconds=1)
    elif _END_OF_DAY.fullmatch(time):
        time, later = "00", timedelta(days=1)
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{'+00:00' if zone in _UTC else zone}") + later
        # As a float, the last microseconds of the year 9999 are those of the next year.
        return min(moment.astimezone(UTC).timestamp(), _LAST_TIME)
    except (ValueError, OverflowError):
        return None
