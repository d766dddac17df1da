"""Reads the query of a status page: filters, search and the number of the page."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from exporter.issues import KINDS, Issue
from exporter.status import MEANING, SEVERITIES

# The values that a parameter may have.
_CHOICES: dict[str, tuple[str, ...]] = {
    "problem": tuple(KINDS),
    "severity": SEVERITIES,
    "reason": tuple(MEANING),
    "show": ("all",),
    "refresh": ("off", "on"),
}
_MOST_DIGITS = 9
# Names have their blanks: a link from a page must find what it names.
_EXACT = ("account", "integration", "id")
_NO_FILTERS = ("page", "refresh", "id")


class QueryError(Exception):
    """The query has a parameter that can't be used. The text says which, without its value."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a page shows; an empty filter is none.

    `q` is a part of a tenant's name or id. `show` is `all` if every tenant is to be listed. `page` begins with 1.
    `id` is the tenant of the page, if the path can't name it.
    """

    q: str = ""
    problem: str = ""
    severity: str = ""
    reason: str = ""
    account: str = ""
    integration: str = ""
    collector: str = ""
    show: str = ""
    page: int = 1
    refresh: str = ""
    id: str = ""

    @property
    def refreshes(self) -> bool:
        """Whether the page reloads itself."""
        return self.refresh != "off"

    @property
    def keeping(self) -> str:
        """What a link to another page takes along, to be appended: only whether pages reload themselves."""
        return "" if self.refreshes else "?refresh=off"

    @property
    def filters(self) -> dict[str, str]:
        """The filters that are set, by name."""
        return {name: value for name, value in asdict(self).items() if value and name not in _NO_FILTERS}

    @property
    def with_healthy(self) -> bool:
        """Whether tenants without problems are listed as well: unless a filter is about problems."""
        about_problems = self.problem or self.severity or self.reason or self.collector
        return bool(not about_problems and (self.q or self.account or self.integration or self.show))

    def link(self, **changes: Any) -> str:  # noqa: ANN401 - text, or the number of the page
        """The query of a page with these changes, as a relative link. Other filters lead to page 1."""
        changed = asdict(replace(self, **{"page": 1, **changes}))
        given = {name: value for name, value in changed.items() if value and (name, value) != ("page", 1)}
        return "?" + urlencode(given, errors="surrogatepass") if given else "?"

    def select(self, issues: Sequence[Issue]) -> list[Issue]:
        """Those of the issues that are to be listed. A loop for each filter is faster than calls for each issue."""
        found = list(issues)
        if self.problem:
            found = [issue for issue in found if issue.kind == self.problem]
        if self.severity:
            found = [issue for issue in found if issue.severity == self.severity]
        if self.reason:
            found = [issue for issue in found if issue.reason == self.reason]
        if self.collector:
            found = [issue for issue in found if self.collector in issue.collectors]
        if self.account:
            found = [issue for issue in found if issue.tenant.account_name == self.account]
        if self.integration:
            found = [issue for issue in found if issue.tenant.integration == self.integration]
        if self.q:
            q = self.q.casefold()
            found = [each for each in found if q in each.tenant.name.casefold() or q in each.tenant.id.casefold()]
        return found


_NAMES = tuple(each.name for each in fields(Query) if each.name != "id")
_NOTHING = {each.name: each.default for each in fields(Query)}


def parse(given: Iterable[tuple[str, str]], *, of_tenant: bool = False) -> Query:
    """The query of these parameters. Empty ones count as missing: a form sends them.

    Text is composed (NFC), as names are. `id` is known if the query is `of_tenant`, and is taken as it is.

    Raises QueryError if one is unknown, is given twice, or has a value that it can't have.
    """
    found: dict[str, Any] = {}
    for name, value in given:
        if name not in _NAMES and not (of_tenant and name == "id"):
            raise QueryError(f"There is an unknown parameter. The known ones are {_listed(_NAMES)}.")
        if name in found:
            raise QueryError(f"The parameter {name} is given twice.")
        found[name] = _value(name, value) if value.strip() else _NOTHING[name]
    return Query(**found)


def _value(name: str, value: str) -> str | int:
    if name != "id":
        value = unicodedata.normalize("NFC", value)
    if name not in _EXACT:
        value = value.strip()
    if name == "page":
        if not (value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS and int(value)):
            raise QueryError("The parameter page must be a whole number from 1 on.")
        return int(value)
    choices = _CHOICES.get(name)
    if choices and value not in choices:
        raise QueryError(f"The parameter {name} has an unknown value. The known ones are {_listed(choices)}.")
    return value


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
