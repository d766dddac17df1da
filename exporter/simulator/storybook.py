"""What is to happen, by a book that people write?

A story book is one YAML file or a folder of them. Times are durations from the book's start (`1d 4h 30m`) or
moments (`2026-10-13T04:30:00Z`). A story is told of named tenants, or sown: scattered over the fleet and the time
by chance, always the same for the same seed. Kinds are not checked here: whoever tells the stories knows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from random import Random
from typing import Any

import yaml

from exporter.simulator.fleet import DAY

_UNITS = {"d": DAY, "h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)([dhms])")
_RANGE = re.compile(r"(.+?)\s+to\s+(.+)")
# Nobody is told a second story before this much time has passed after the first, unless its row says otherwise.
_REST = DAY
_TRIES = 4000
_MINUTE = 60.0


class BookError(ValueError):
    """A book that can't be read; the text says where and why."""


@dataclass(frozen=True)
class Chapter:
    """One story of a book. `tenant` is a place in the order of arrival, or None for the whole fleet.

    `begins` and `ends` are Unix seconds; `ends` is None for a story without an end.
    """

    kind: str
    tenant: int | None
    begins: float
    ends: float | None


@dataclass
class Book:
    """A fleet, a stretch of time (Unix seconds), and what happens in it, in the order of time."""

    starts: float = 0.0
    ends: float = 0.0
    tenants: int = 0
    seed: int = 1
    chapters: list[Chapter] = field(default_factory=list)


def seconds(text: object) -> float:
    """The seconds of a duration such as `90`, `20h`, `1d 4h 30m` or `-2d`. BookError if it is none."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    parts = "".join(str(text).split())
    if parts.startswith("-"):
        return -seconds(parts[1:])
    if not parts or _PART.sub("", parts):
        raise BookError(f"not a duration: {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(parts))


def moment(value: object, starts: float) -> float:
    """Unix seconds of a moment, or of a duration after `starts`. BookError if it is neither."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC).timestamp()
    return starts + seconds(value)


def read(path: Path) -> Book:
    """Read a book: a file, or all `*.yaml` of a folder as if they were one. BookError if that can't be done."""
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    pages = [(file, _page(file)) for file in files]
    facts = {name: value for _, page in pages for name, value in page.items() if name not in ("stories", "sown")}
    missing = {"starts", "days", "tenants"} - facts.keys()
    if missing:
        raise BookError(f"{path}: nobody says {', '.join(sorted(missing))}")
    starts = moment(facts["starts"], 0.0)
    book = Book(starts, starts + float(facts["days"]) * DAY, int(facts["tenants"]), int(facts.get("seed", 1)))
    for file, page in pages:
        for row in page.get("stories") or ():
            book.chapters += _chapters(file, row, book)
    _Sower(book).sow([(file, row) for file, page in pages for row in page.get("sown") or ()])
    book.chapters.sort(key=lambda one: one.begins)
    return book


def _page(file: Path) -> Mapping[str, Any]:
    try:
        page = yaml.safe_load(file.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BookError(f"{file}: {error}") from None
    if not isinstance(page, dict):
        raise BookError(f"{file}: not a mapping")
    return page


def _chapters(file: Path, row: Any, book: Book) -> Iterable[Chapter]:  # noqa: ANN401 - whatever YAML holds
    """The stories of one row: one, or one for each tenant."""
    with_defaults = {"tenant": None, "lasts": None, **_checked(file, row, {"kind", "tenant", "begins", "lasts"})}
    try:
        begins = moment(with_defaults["begins"], book.starts)
        ends = None if with_defaults["lasts"] is None else begins + seconds(with_defaults["lasts"])
    except (KeyError, BookError) as error:
        raise BookError(f"{file}: {row}: {error}") from None
    for tenant in _tenants(with_defaults["tenant"], book.tenants):
        yield Chapter(str(with_defaults["kind"]), tenant, begins, ends)


def _tenants(value: Any, tenants: int) -> Iterable[int | None]:  # noqa: ANN401 - likewise
    if value == "all":
        return range(tenants)
    return value if isinstance(value, list) else [value]


def _checked(file: Path, row: Any, known: set[str]) -> Mapping[str, Any]:  # noqa: ANN401 - likewise
    if not isinstance(row, dict) or "kind" not in row:
        raise BookError(f"{file}: a story needs a kind: {row!r}")
    if row.keys() - known:
        raise BookError(f"{file}: {row}: unknown: {', '.join(sorted(row.keys() - known))}")
    return row


class _Sower:
    """Scatters stories so that no two are told of one tenant at a time."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._rng = Random(f"{book.seed}/sown")
        self._taken: dict[int, list[tuple[float, float]]] = {number: [] for number in range(book.tenants)}
        for one in book.chapters:
            if one.tenant in self._taken and one.ends is not None:
                self._taken[one.tenant].append((one.begins - _REST, one.ends + _REST))

    def sow(self, rows: list[tuple[Path, Any]]) -> None:
        """The longest first: they find no room later."""
        known = {"kind", "times", "lasts", "rest", "hour"}
        checked = [(file, _checked(file, row, known)) for file, row in rows]
        for file, row in sorted(checked, key=lambda pair: -self._room(*pair)):
            for _ in range(int(row.get("times", 1))):
                self._one(file, row)

    def _room(self, file: Path, row: Mapping[str, Any]) -> float:
        return self._span(file, row)[1] + self._rest(row)

    def _rest(self, row: Mapping[str, Any]) -> float:
        return seconds(row["rest"]) if "rest" in row else _REST

    def _span(self, file: Path, row: Mapping[str, Any]) -> tuple[float, float]:
        """The shortest and the longest that it lasts."""
        text = str(row.get("lasts", "0s"))
        found = _RANGE.fullmatch(text)
        try:
            return (seconds(found[1]), seconds(found[2])) if found else (seconds(text), seconds(text))
        except BookError as error:
            raise BookError(f"{file}: {dict(row)}: {error}") from None

    def _one(self, file: Path, row: Mapping[str, Any]) -> None:
        rng, book = self._rng, self._book
        shortest, longest = self._span(file, row)
        rest = self._rest(row)
        for _ in range(_TRIES):
            tenant = rng.randrange(book.tenants)
            lasts = rng.uniform(shortest, longest) // _MINUTE * _MINUTE
            begins = book.starts + rng.uniform(DAY / 2, book.ends - book.starts - lasts - DAY / 4) // _MINUTE * _MINUTE
            if "hour" in row:
                begins = begins // DAY * DAY + float(row["hour"]) * 3600.0
            ends = begins + lasts
            if all(ends + rest <= other or begins >= until for other, until in self._taken[tenant]):
                self._taken[tenant].append((begins, ends + rest))
                book.chapters.append(Chapter(str(row["kind"]), tenant, begins, ends if lasts else None))
                return
        raise BookError(f"{file}: {dict(row)}: there is no room for so many; have more tenants or days")
