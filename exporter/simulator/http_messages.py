"""Defines HTTP requests and replies without sockets, and the error envelope of the API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import responses

JSON = "application/json"
MAX_BODY_BYTES = 1024 * 1024
_dumps = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. `path` has no query; the case of header names does not matter.

    `is_oversized` says that the server did not read the body, because it has more than `MAX_BODY_BYTES`.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    is_oversized: bool = False

    def header(self, name: str) -> str:
        """The value of a header such as `Authorization`; empty if it was not sent."""
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


class ApiError(Exception):
    """The API answers with its error envelope. `details` names the member of the body, or what is in the way."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        *,
        details: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}
        self.details = details


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply with a JSON body."""
    return Reply(status, {"Content-Type": JSON, **(headers or {})}, _dumps(value).encode())


def error_reply(error: ApiError) -> Reply:
    """A reply with the error envelope of the API."""
    envelope = {
        "status": error.status,
        "code": error.code,
        "message": str(error),
        "ext_message": None,
        "details": error.details,
    }
    return json_reply({"error": envelope}, error.status, error.headers)


def head(reply: Reply, *more: tuple[str, str], version: str = "1.1") -> bytes:
    """The head of a reply as bytes, with more headers, which may be wrong or there twice."""
    lines = [f"HTTP/{version} {reply.status} {responses.get(reply.status, '')}"]
    lines += [f"{name}: {value}" for name, value in (*reply.headers.items(), *more)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
