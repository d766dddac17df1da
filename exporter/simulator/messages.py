"""What goes in, and what comes out?

A request and a reply without sockets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

JSON = "application/json"
_dumps = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. `path` has no query in it; header names may be written in any case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str:
        """The header by its usual name, such as `Authorization`; empty if it was not sent."""
        value = self.headers.get(name)
        if value is not None:
            return value
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP reply."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Refused(Exception):  # noqa: N818 - named for what happened
    """The API answers with its error envelope."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply that carries JSON."""
    return Reply(status, {"Content-Type": JSON, **(headers or {})}, _dumps(value).encode())


def error_reply(refused: Refused) -> Reply:
    """The error envelope of the API."""
    error = {
        "status": refused.status,
        "code": refused.code,
        "message": str(refused),
        "ext_message": None,
        "details": None,
    }
    return json_reply({"error": error}, refused.status, refused.headers)
