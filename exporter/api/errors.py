"""Defines the errors of the API client.

Every failure is an `ApiError` with one of a closed set of reasons. Its text never repeats what the server
says, because that may hold a secret.
"""

from __future__ import annotations

from typing import ClassVar

REASONS = ("auth", "forbidden", "not_found", "throttled", "timeout", "network", "server", "bad_response", "bug")


class ApiError(Exception):
    """A call failed. `reason` is one of `REASONS`; the text is for people."""

    reason: ClassVar[str] = "bug"


class AuthError(ApiError):
    """The credentials were refused, or there are none."""

    reason = "auth"


class RefusedError(ApiError):
    """The API refuses this object. It is absent only if `by_api`: not with a gateway's page, or with `Retry-After`."""

    def __init__(self, message: str, *, by_api: bool = True) -> None:
        super().__init__(message)
        self.by_api = by_api


class ForbiddenError(RefusedError):
    """The credentials are valid, but have no access (403)."""

    reason = "forbidden"


class NotFoundError(RefusedError):
    """The API has no such object (404, 410)."""

    reason = "not_found"


class TransientError(ApiError):
    """The same call may succeed a moment later; `retry_after` in seconds if the server gave one."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ThrottledError(TransientError):
    """Too many requests (429, or 403 with `Retry-After`)."""

    reason = "throttled"


class RequestTimeoutError(ApiError):
    """No complete reply within `api.timeout`, or no credentials from a file that hangs.

    Not retried at once, because it has already taken long.
    """

    reason = "timeout"


class NetworkError(TransientError):
    """No connection, or one that broke."""

    reason = "network"


class ServerError(TransientError):
    """The server failed (5xx)."""

    reason = "server"


class BadResponseError(ApiError):
    """The reply is not what the API's reference says: HTML, invalid JSON, too large, an unexpected status."""

    reason = "bad_response"
