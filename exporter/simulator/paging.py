"""Cuts lists into pages: as the reference says, and in other modes that real servers have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from exporter.simulator.calls import Listing
from exporter.simulator.http_messages import ApiError
from exporter.simulator.inventory import new_id, new_secret
from exporter.simulator.serialize import Json, iso

PAGING_MODES = ("next", "none", "ignored", "endless", "empty_last")
# The first null precedes the first item, as in the published examples; the next follow after so many items.
_ITEMS_BETWEEN_NULLS = 7


@dataclass(frozen=True, slots=True)
class Paging:
    """How this server pages: one of `PAGING_MODES`, its page sizes, and whether lists contain nulls."""

    mode: str
    max_size: int
    default_size: int
    nulls: bool

    def cut(self, listing: Listing, query: Mapping[str, str], path: str) -> Json:
        """The page that was asked for; raises ApiError if `page` or `page_size` is invalid."""
        size = min(_number(query, "page_size", self.default_size, 1), self.max_size)
        page = 0 if self.mode == "ignored" else _number(query, "page", 0, 0)
        items = _with_nulls(listing.items) if self.nulls else listing.items
        first = page * size
        shown = [None if item is None else listing.serialize(item) for item in items[first : first + size]]
        reply: Json = {"data": shown}
        more = first + size < len(items)
        if self.mode == "endless" and path.endswith("/tenants"):
            more = True
            reply["data"] = shown or [_made_up_tenant(page, number) for number in range(size)]
        if self.mode == "ignored" or (self.mode == "empty_last" and shown):
            more = True
        if self.mode != "none":
            next_page = f"{path}?page={page + 1}&page_size={size}"
            reply["paging"] = {"next": next_page if more else None}
        return reply


def _number(query: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = query.get(name, "")
    if text == "":
        return default
    # A limit on the digits keeps the arithmetic fast.
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= least):
        raise ApiError(400, "bad_request", f"The parameter {name} must be a number from {least} on.")
    return int(text)


def _with_nulls(items: Sequence[object]) -> list[object]:
    mixed: list[object] = []
    for first in range(0, len(items), _ITEMS_BETWEEN_NULLS):
        mixed.append(None)
        mixed.extend(items[first : first + _ITEMS_BETWEEN_NULLS])
    return mixed


def _made_up_tenant(page: int, number: int) -> Json:
    rng = Random(f"endless/{page}/{number}")
    auth = {
        "type": "oauth2",
        "client_id": new_id(rng),
        "client_secret": new_secret(rng, "actor"),
        "updated_at": iso(0.0),
    }
    return {
        "id": new_id(rng),
        "name": f"Endless {page}-{number}",
        "actor_id": new_id(rng),
        "account": None,
        "cloud": None,
        "integration": None,
        "auth": auth,
        "app_auth": None,
        "lti_developer_id": None,
    }
