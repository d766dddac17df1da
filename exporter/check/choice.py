"""Chooses the tenants of `check --tenant`, by id, name or glob."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from exporter.api.fields import composed
from exporter.api.models import Tenant

_NEAR = 3


class Choice:
    """The tenants that a text means. After a discovery, `near` has the names nearest to it."""

    def __init__(self, wanted: str) -> None:
        self.wanted = composed(wanted)
        self.near: list[str] = []

    def among(self, tenants: Sequence[Tenant]) -> list[Tenant]:
        """Those with this id or name; else those with the name in any case; else those that the glob matches."""
        text, folded = self.wanted, self.wanted.casefold()
        found = [each for each in tenants if text in _names(each)]
        found = found or [each for each in tenants if folded in map(str.casefold, _names(each))]
        found = found or [
            each for each in tenants if any(fnmatchcase(name.casefold(), folded) for name in _names(each))
        ]
        self.near = [] if found else _nearest(folded, tenants)
        return found


def _names(tenant: Tenant) -> list[str]:
    return [tenant.id, *([tenant.name] if tenant.name else [])]


def _nearest(folded: str, tenants: Iterable[Tenant]) -> list[str]:
    names = {name.casefold(): name for tenant in tenants for name in _names(tenant)}
    parts = [name for name in names if folded in name]
    near = dict.fromkeys((*parts[:_NEAR], *get_close_matches(folded, names, n=_NEAR)))
    return [names[name] for name in near][:_NEAR]
