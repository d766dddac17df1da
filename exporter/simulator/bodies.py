"""Reads the JSON bodies of calls that change things. Each error is a 400 that names the member."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NoReturn

from exporter.simulator.http_messages import ApiError
from exporter.simulator.times import round_to_ms

# Far more than names have, and little enough for a page.
MAX_TEXT = 1000
# Later than any plan; later times do not fit into all clients.
_LATEST = 32_503_680_000.0  # the year 3000
_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def bad_body(problem: str, member: str | None = None) -> ApiError:
    """The error for a body, or for one of its members."""
    return ApiError(400, "bad_request", f"{member or 'The body'} {problem}.", details=member)


class Body:
    """A JSON object, and its members by type. A member that is missing or null is None, unless it is required."""

    def __init__(self, members: Mapping[str, object], prefix: str = "") -> None:
        """`prefix` is put before the members' names in errors, such as `data[0].`."""
        self.members = members
        self._prefix = prefix

    def __contains__(self, name: str) -> bool:
        """Whether the object has this member, which may be null."""
        return name in self.members

    def fail(self, name: str, problem: str) -> NoReturn:
        """Raise the error for a member."""
        raise bad_body(problem, self._prefix + name)

    def text(self, name: str, *, required: bool = False) -> str | None:
        """A text of at most `MAX_TEXT` characters; a required one is not empty."""
        value = self._get(name, required=required)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            self.fail(name, f"must be a text of at most {MAX_TEXT} characters")
        if required and not value.strip():
            self.fail(name, "must not be empty")
        return value

    def required_text(self, name: str) -> str:
        """A text that must be there."""
        return self.text(name, required=True) or ""

    def number(self, name: str, least: int, most: int, *, required: bool = False) -> int | None:
        """A whole number from `least` to `most`."""
        value = self._get(name, required=required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.fail(name, f"must be a whole number from {least} to {most}")
        return value

    def boolean(self, name: str, *, required: bool = False) -> bool | None:
        """True or false."""
        value = self._get(name, required=required)
        if value is not None and not isinstance(value, bool):
            self.fail(name, "must be true or false")
        return value

    def choice(self, name: str, choices: Collection[str], *, required: bool = False) -> str | None:
        """One of some texts."""
        value = self._get(name, required=required)
        if value is None:
            return None
        if not isinstance(value, str) or value not in choices:
            self.fail(name, f"must be one of: {', '.join(choices)}")
        return value

    def uuid(self, name: str, *, required: bool = False) -> str | None:
        """A UUID, in lower case."""
        value = self._get(name, required=required)
        if value is None:
            return None
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            self.fail(name, "must be a UUID")
        return str(uuid.UUID(value))

    def moment(self, name: str) -> float:
        """A required time, such as `2026-06-15T00:00:00.000Z`, in Unix seconds."""
        value = self._get(name, required=True)
        try:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            moment = None
        # The epoch is subtracted without the local time zone, so any year works.
        if moment is None or moment.tzinfo is None or not 0 <= moment.timestamp() <= _LATEST:
            self.fail(name, "must be a time such as 2026-06-15T00:00:00.000Z")
        return round_to_ms(moment.timestamp())

    def mapping(self, name: str) -> dict[str, object] | None:
        """An object."""
        value = self._get(name)
        if value is not None and not isinstance(value, dict):
            self.fail(name, "must be an object")
        return value

    def bodies(self, name: str) -> list[Body]:
        """A required list of objects."""
        value = self._get(name, required=True)
        if not isinstance(value, list):
            self.fail(name, "must be a list of objects")
        for index, each in enumerate(value):
            if not isinstance(each, dict):
                self.fail(f"{name}[{index}]", "must be an object")
        return [Body(each, f"{name}[{index}].") for index, each in enumerate(value)]

    def _get(self, name: str, *, required: bool = False) -> object:
        value = self.members.get(name)
        if required and value is None:
            self.fail(name, "is missing" if name not in self.members else "must not be null")
        return value


def parse_body(raw: bytes) -> Body:
    """The object in a body; raises ApiError if it is not a JSON object."""
    value = _parse(raw)
    if not isinstance(value, dict):
        raise bad_body("must be a JSON object")
    return Body(value)


def check_empty_body(raw: bytes) -> None:
    """Raise ApiError unless the body is empty, null or an object: what is in it has no meaning."""
    if raw.strip() and not isinstance(_parse(raw), dict | None):
        raise bad_body("must be empty, null or a JSON object")


def _parse(raw: bytes) -> object:
    try:
        return json.loads(raw.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise bad_body("is not valid JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are not JSON."""
    raise ValueError(name)
