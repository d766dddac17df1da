"""What can go wrong between the exporter and the API?

Every failure is an `ApiError` with one of a closed set of reasons. Its text is ours alone: what the server
says may hold a secret, so none of it is repeated.
"""

from __future__ import annotations

from typing import ClassVar

REASONS = (
    "auth",
    "forbidden",
    "not_found",
    "throttled",
    "timeout",
    "network",
    "server",
    "bad_response",
    "bug",
)


class ApiError(Exception):
    """A call that gave nothing usable. `reason` is one of `REASONS`."""

    reason: ClassVar[str] = "bug"


class AuthError(ApiError):
    """The credentials were refused, or there are none."""

    reason = "auth"


class ForbiddenError(ApiError):
    """The credentials are good, but not for this (403)."""

    reason = "forbidden"


class NotFoundError(ApiError):
    """There is no such thing (404)."""

    reason = "not_found"


class TransientError(ApiError):
    """The same call may go through a moment later."""


class ThrottledError(TransientError):
    """Too many requests (429); `retry_after` in seconds if the server gave one."""

    reason = "throttled"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RequestTimeoutError(ApiError):
    """No whole reply within `api.timeout`. Not tried again at once: it has already cost a long time."""

    reason = "timeout"


class NetworkError(TransientError):
    """No connection, or one that broke."""

    reason = "network"


class ServerError(TransientError):
    """The server failed (5xx); `retry_after` in seconds if it gave one."""

    reason = "server"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BadResponseError(ApiError):
    """A reply that is not what the API's reference says: HTML, broken JSON, too large, an odd status."""

    reason = "bad_response"
