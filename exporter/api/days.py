"""On which days of the week does a schedule run?

The format of `days` is written down nowhere, so every form that has one meaning is read, and none that has
two: a lone `S` may be Saturday or Sunday, `1111100` may begin on either Monday or Sunday, `127` may be three
days or seven bits. Numbers are as in cron, which agrees with ISO 8601: 1 is Monday, 6 is Saturday, and both
0 and 7 are Sunday.
"""

from __future__ import annotations

import json
import re

EVERY_DAY = frozenset(range(7))
_WEEKDAYS = frozenset(range(5))
_WEEKEND = frozenset((5, 6))
_ONE_AND_ZERO = frozenset((0, 6))

_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ABBREVIATIONS = {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}
_DAYS = (
    {prefix: day for day, name in enumerate(_NAMES) for prefix in (name, name + "s", name[:3], name[:2])}
    | _ABBREVIATIONS
    | {str(number): (number - 1) % 7 for number in range(8)}
)
_SETS = {
    "weekday": _WEEKDAYS,
    "workday": _WEEKDAYS,
    "businessday": _WEEKDAYS,
    "weekend": _WEEKEND,
    "all": EVERY_DAY,
    "any": EVERY_DAY,
    "day": EVERY_DAY,
    "daily": EVERY_DAY,
    "everyday": EVERY_DAY,
    "alldays": EVERY_DAY,
    "smtwtfs": EVERY_DAY,
}
_WILDCARDS = ("*", "?")
# Letters in the order of the week, as timetables have them: "MTWRF", "MWF", "TR", "MTuWThF", "MTWTFSS".
_LETTERS = re.compile(r"(M)?(Tu|T(?!h))?(W)?(R|Th|T)?(F)?(Sa|S(?!u))?(Su|S|U)?")
# The days of a cron line whose other fields leave every day open. With seconds in front it is Quartz's, where
# Sunday is 1 and not 0, so that names alone can be trusted there.
_CRON = re.compile(r"\S+ \S+ [*?] \* (\S+)|\S+ \S+ \S+ [*?] \* ([^\d\s]+)(?: \*)?")
# Ends of a range of letters; "S" and "T" have two meanings.
_RANGE_LETTERS = {"m": 0, "w": 2, "r": 3, "f": 4, "u": 6}
_NUMBERS = frozenset("01234567")
_SINGLE_LETTERS = re.compile(r"[a-z](?:[ ,;|/]+[a-z])+")
# Nothing that means days is longer: neither a text nor a list.
_LONGEST = 200
# Digits up to here may be bits as well.
_HIGHEST_MASK = 127
_STEP = re.compile(r"(.+)/([1-7])")


def read_days(value: object) -> frozenset[int] | None:
    """The days that `value` means, Monday being 0; None if it can't be read. Null and empty mean every day."""
    if value is None:
        return EVERY_DAY
    if isinstance(value, str | list | dict) and len(value) > _LONGEST:
        return None
    if isinstance(value, str | int) and not isinstance(value, bool):
        return _text(str(value))
    if isinstance(value, list):
        return _union([_item(item) for item in value if item is not None])
    if isinstance(value, dict):
        return _switches(value)
    return None


def _item(item: object) -> frozenset[int] | None:
    """One day, or more, in a list. Empty means every day only where nothing else is said."""
    return read_days(item) if isinstance(item, int) or (isinstance(item, str) and item.strip()) else None


def _switches(value: dict[str, object]) -> frozenset[int] | None:
    """`{"monday": true, …}`."""
    if not value or not all(isinstance(on, bool) for on in value.values()):
        return None
    return _union([_term(name.strip().lower()) for name, on in value.items() if on], empty=None)


def _union(parts: list[frozenset[int] | None], empty: frozenset[int] | None = EVERY_DAY) -> frozenset[int] | None:
    """All parts together; None if one of them can't be read."""
    if not parts:
        return empty
    known = [part for part in parts if part is not None]
    days = frozenset[int]().union(*known)
    # Seven ones and zeros are not Mondays and Sundays but switches, and nobody knows on which day they begin.
    switches = len(parts) == len(EVERY_DAY) and days <= _ONE_AND_ZERO
    return days if len(known) == len(parts) and not switches else None


def _text(text: str) -> frozenset[int] | None:
    text = " ".join(text.split())
    if not text:
        return EVERY_DAY
    if text[0] in '[{"':
        return _json(text)
    if text.isalpha() and text.lower() not in _DAYS and (letters := _letters(text)) is not None:
        return letters
    text = _calendar_rule(text.lower())
    if cron := _CRON.fullmatch(text):
        text = cron[1] or cron[2]
    if text in _WILDCARDS:
        return EVERY_DAY
    if _SINGLE_LETTERS.fullmatch(text):
        return _letters(re.sub("[^a-z]", "", text))
    return _list(text)


def _json(text: str) -> frozenset[int] | None:
    try:
        return read_days(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _calendar_rule(text: str) -> str:
    """The days of an iCalendar rule (RFC 5545, 3.3.10): `FREQ=WEEKLY;BYDAY=MO,WE`."""
    if text == "freq=daily":
        return "daily"
    rule = re.fullmatch(r"(?:rrule:)?(?:freq=weekly;)?byday=([a-z,]+)", text)
    return rule[1] if rule else text


def _list(text: str) -> frozenset[int] | None:
    """Days, sets of days and ranges, apart by commas, semicolons, bars, slashes, "and" or spaces."""
    text = re.sub(r"\bevery (?=[a-z])", "", text)
    text = re.sub(r"\b(business|work|week|all) (?=days?\b)", r"\1", text)
    text = re.sub(r" ?(?:-|–|—|\.\.|\b(?:to|through|thru|until)\b) ?", "-", text)  # noqa: RUF001 - long dashes are meant
    if _STEP.fullmatch(text):
        return _term(text)
    # Words may be apart by a space alone; numbers that are look like a cron line with a day of the month.
    terms = re.split(r" ?(?:[,;|/&+]|\band\b) ?(?:and )?|(?<=[a-z]) (?=[a-z])", text)
    return _union([_term(term.rstrip(".")) for term in terms])


def _term(term: str) -> frozenset[int] | None:
    if term in _DAYS:
        return frozenset((_DAYS[term],))
    named = _SETS.get(term) or _SETS.get(term.removesuffix("s"))
    if named:
        return named
    if step := _STEP.fullmatch(term):
        return _stepped(step[1], int(step[2]))
    if re.fullmatch(r"0?1?2?3?4?5?6?7?", term) and len(term) > 1 and int(term) > _HIGHEST_MASK:
        return frozenset(_DAYS[digit] for digit in term)
    return _range(term, 1)


def _range(span: str, step: int) -> frozenset[int] | None:
    """Every `step`th day of a range, over the end of the week if need be; `0-7` is every day, as in cron."""
    ends = span.split("-")
    if len(ends) != 2 or ends[0] == ends[1]:  # noqa: PLR2004 - a range has two ends
        return None
    if ends[0] in _NUMBERS and ends[1] in _NUMBERS and ends[0] < ends[1]:
        return frozenset((number - 1) % 7 for number in range(int(ends[0]), int(ends[1]) + 1, step))
    days = [(_RANGE_LETTERS | _DAYS).get(end) for end in ends]
    if days[0] is None or days[1] is None or days[0] == days[1]:
        return None
    first, last = days[0], days[1]
    return frozenset((first + offset) % 7 for offset in range(0, (last - first) % 7 + 1, step))


def _stepped(span: str, step: int) -> frozenset[int] | None:
    """`*/2` or `1-5/2`, counted as cron does: from Sunday, or from the first day of the range."""
    if span == "*":
        return frozenset((number - 1) % 7 for number in range(0, 7, step))
    return _range(span, step)


def _letters(text: str) -> frozenset[int] | None:
    """Letters of days in the order of the week; None if they are none, or could mean two things."""
    match = _LETTERS.fullmatch(text.upper() if text.islower() else text)
    if not match:
        return None
    days = frozenset(day for day, letter in enumerate(match.groups()) if letter)
    _, tuesday, wednesday, thursday, _, saturday, sunday = match.groups()
    # One S alone may be either day of the weekend, one T alone either Tuesday or Thursday.
    either_weekend = "S" in (saturday, sunday) and not (saturday and sunday)
    either_t = tuesday == "T" and not (wednesday or thursday)
    return None if either_weekend or either_t else days
