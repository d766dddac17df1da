"""How is a list cut into pages?

As the reference says, and in the other ways that servers have been seen to do it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from exporter.simulator.fleet import new_id, new_secret
from exporter.simulator.messages import Refused
from exporter.simulator.resources import Listing
from exporter.simulator.shapes import Json, iso

WAYS = ("next", "none", "ignored", "endless", "empty_last")
# Nulls stand first, as in the published examples, and then after so many elements again.
_BETWEEN_NULLS = 7


@dataclass(frozen=True, slots=True)
class Paging:
    """How this server pages: one of `WAYS`, its largest and its usual page, and whether lists hold nulls."""

    way: str
    largest: int
    usual: int
    nulls: bool

    def cut(self, listing: Listing, query: Mapping[str, str], path: str) -> Json:
        """The page that was asked for; raises Refused if `page` or `page_size` can't be read."""
        size = min(_number(query, "page_size", self.usual, 1), self.largest)
        page = 0 if self.way == "ignored" else _number(query, "page", 0, 0)
        items = _with_nulls(listing.items) if self.nulls else listing.items
        first = page * size
        shown = [None if item is None else listing.shape(item) for item in items[first : first + size]]
        reply: Json = {"data": shown}
        more = first + size < len(items)
        if self.way == "endless" and path.endswith("/tenants"):
            more = True
            reply["data"] = shown or [_made_up_tenant(page, number) for number in range(size)]
        if self.way == "ignored" or (self.way == "empty_last" and shown):
            more = True
        if self.way != "none":
            following = f"{path}?page={page + 1}&page_size={size}"
            reply["paging"] = {"next": following if more else None}
        return reply


def _number(query: Mapping[str, str], name: str, default: int, least: int) -> int:
    text = query.get(name, "")
    if text == "":
        return default
    # More digits than any page number has would only make the arithmetic slow.
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= least):
        raise Refused(400, "bad_request", f"The parameter {name} must be a number from {least} on.")
    return int(text)


def _with_nulls(items: Sequence[object]) -> list[object]:
    sprinkled: list[object] = []
    for first in range(0, len(items), _BETWEEN_NULLS):
        sprinkled.append(None)
        sprinkled.extend(items[first : first + _BETWEEN_NULLS])
    return sprinkled


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
