"""Parses the `days` of a schedule: on which days of the week does it run?

The reference does not describe the format of `days`. Every form with one meaning is parsed, and a form with two
is not: a lone `S` may be Saturday or Sunday, `1111100` may begin on Monday or Sunday, `127` may be three days or
seven bits. Numbers are as in cron, which agrees with ISO 8601: 1 is Monday, 6 is Saturday, 0 and 7 are Sunday.

A text is rewritten to terms between commas. Each term is a word, a range (with a step) or a run of digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import product

EVERY_DAY = frozenset(range(7))
_WORKDAYS, _WEEKEND = frozenset(range(5)), frozenset((5, 6))
_MONDAY, _SUNDAY = 0, 6

_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NAMES = {word: day for day, name in enumerate(_FULL_NAMES) for word in (name, name + "s", name[:3], name[:2])}
_NAMES |= {"tues": 1, "weds": 2, "thur": 3, "thurs": 3, "m": 0, "w": 2, "r": 3, "f": 4, "u": 6}
# Letters with two meanings. The days beside them show which one is meant.
_UNCLEAR = {"t": (1, 3), "s": (5, 6)}
_MEANINGS = {name: (day,) for name, day in _NAMES.items()} | _UNCLEAR
_DAYS = _NAMES | {str(number): (number - 1) % 7 for number in range(8)}
_WORDS = {word: frozenset((day,)) for word, day in _DAYS.items()}
_SETS = dict.fromkeys(("weekday", "workday", "businessday"), _WORKDAYS) | {"weekend": _WEEKEND}
_SETS |= dict.fromkeys(("all", "any", "day", "daily", "everyday", "allday", "smtwtfs"), EVERY_DAY)
_WORDS |= {word: days for name, days in _SETS.items() for word in (name, name + "s")}

# Applied in this order to a text in lower case.
_REWRITES = (
    # cron, if every day of the month and every month is open.
    (r"^cron\(((?:\S+ ){5}\S+)\)$", r"\1"),
    (r"^\S+ \S+ [*?] \* (\S+)$", r"\1"),
    # With seconds (Quartz) or a year (AWS), 1 is Sunday, so only names are clear.
    (r"^\S+ \S+ (?:\S+ )?[*?] \* ([^\d\s]+)(?: \*)?$", r"\1"),
    # An iCalendar rule (RFC 5545, 3.3.10). Two of its parts don't change the weekdays.
    (r"^rrule:|\b(?:wkst=[a-z]{2}|interval=1)(?:;|$)", ""),
    (r"^(?:freq=weekly;)?byday=([a-z,]+)(?:;freq=weekly)?;?$", r"\1"),
    (r"^(?:[*?]|freq=daily;?)$", "daily"),
    (r"\bevery (?=[a-z])", ""),
    (r"\b(business|work|week|all) (?=days?\b)", r"\1"),
    (r" ?(?:-|–|—|\.\.|\b(?:to|through|thru|until)\b) ?", "-"),  # noqa: RUF001 - long dashes are meant
    (r"\*(?=/[1-7])|\b0-7\b", "0-6"),
    # A slash before a number is a step. Numbers with spaces between them look like cron with a day of the month.
    (r"(?: ?(?:[,;|&+]|/(?![1-7](?:[^-/\w]|$))|\band\b) ?)+|(?<=[a-z]) (?=[a-z])", ","),
)
# Digits up to 127 may be bits as well. No text or list that means days is longer than 200.
_HIGHEST_MASK, _LONGEST = 127, 200


def parse_days(value: object) -> frozenset[int] | None:
    """The days that `value` means, Monday being 0; None if that is unclear. Null and empty mean every day."""
    if isinstance(value, list | dict) and len(value) > _LONGEST:
        return None
    if isinstance(value, str | int | float | None):
        return _parse_text("" if value is None else _text(value))
    if isinstance(value, list):
        items = [_text(item) if isinstance(item, str | int | float) else "" for item in value if item is not None]
        return _union(items, _parse_text) if items else EVERY_DAY
    if isinstance(value, dict) and all(isinstance(on, bool) for on in value.values()):
        return _union([name for name, on in value.items() if on], _parse_text)
    return None


def _text(value: str | float) -> str:
    """A day as text; 5.0 is 5."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _parse_text(text: str) -> frozenset[int] | None:
    return None if len(text) > _LONGEST else _parse_short(text)


# All tenants write the same few texts, and so share the sets.
@lru_cache(maxsize=256)
def _parse_short(text: str) -> frozenset[int] | None:
    text = " ".join(text.split())
    if not text:
        return EVERY_DAY
    if text[0] in '[{"':
        with suppress(ValueError, RecursionError):
            return parse_days(json.loads(text))
        return None
    if text.isalpha() and text.lower() not in _WORDS:
        return _parse_joined(text.upper() if text.islower() else text)
    text = text.lower()
    for pattern, replacement in _REWRITES:
        text = re.sub(pattern, replacement, text)
    return _union([term.rstrip(".") for term in text.split(",")], _parse_term)


def _union(terms: Sequence[str], parse: Callable[[str], frozenset[int] | None]) -> frozenset[int] | None:
    """The days of all terms together; None if there is no term, or one of them is empty or unclear."""
    if any(term.strip().lower() in _UNCLEAR for term in terms):
        return _parse_in_order([term.strip().lower() for term in terms])
    parts = [parse(term) if term.strip() else None for term in terms]
    days = frozenset[int]().union(*filter(None, parts))
    # Seven ones and zeros are not Mondays and Sundays but switches, whose first day is unknown.
    switches = len(parts) == len(EVERY_DAY) and days <= {_MONDAY, _SUNDAY}
    return days if parts and all(parts) and not switches else None


def _parse_term(term: str) -> frozenset[int] | None:
    if term in _WORDS:
        return _WORDS[term]
    if re.fullmatch("0?1?2?3?4?5?6?7?", term) and int(term) > _HIGHEST_MASK:
        return frozenset(_DAYS[digit] for digit in term)
    span = re.fullmatch(r"(\w+)-(\w+)(?:/([1-7]))?", term)
    first, last = (_DAYS.get(end) for end in span.group(1, 2)) if span else (None, None)
    if span is None or first is None or last is None or first == last:
        return None
    return frozenset((first + offset) % 7 for offset in range(0, (last - first) % 7 + 1, int(span[3] or 1)))


def _parse_joined(text: str) -> frozenset[int] | None:
    """Days with nothing between them, such as `MTuWThF` and `MWF`, or `MOWEFR` with two letters for each."""
    for one_day in ("[A-Z][a-z]*", "[A-Z]{2}"):
        tokens = re.findall(one_day, text)
        if "".join(tokens) == text and (days := _parse_in_order([token.lower() for token in tokens])):
            return days
    return None


def _parse_in_order(tokens: Sequence[str]) -> frozenset[int] | None:
    """Names and letters in the order of a week that begins on Monday or Sunday; None if that has two meanings."""
    # Eight tokens have no order within one week, so more need not be looked at.
    found = {
        frozenset(days)
        for days in product(*(_MEANINGS.get(token, ()) for token in tokens[:8]))
        for first in (_MONDAY, _SUNDAY)
        if sorted({(day - first) % 7 for day in days}) == [(day - first) % 7 for day in days]
        # A week can begin on Saturday as well: one S alone is only clear beside the other day of the weekend.
        if tokens.count("s") != 1 or set(days) >= _WEEKEND
    }
    return found.pop() if len(found) == 1 else None
