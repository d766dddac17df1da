"""Notes the requests to the API, with the tenant and the collector that they are for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.api.wire import TOKEN_PATH
from exporter.polling.polls import current_poll
from exporter.status import TenantStatus
from exporter.telemetry import Telemetry

_REASONS = {401: "auth", 403: "forbidden", 404: "not_found", 410: "not_found", 429: "throttled"}
_ABSENT = ("forbidden", "not_found")
_SUCCESS, _SERVER_ERROR = range(200, 300), 500


@dataclass
class Call:
    """A request. `code` is the HTTP status, or why there is none; `endpoint` is a path template without any id.

    `retried` says that the same request was sent again.
    """

    tenant_id: str
    collector: str
    endpoint: str
    code: str
    seconds: float
    retried: bool = False

    @property
    def method(self) -> str:
        """The HTTP method: the client has no others."""
        return "POST" if self.endpoint == TOKEN_PATH else "GET"

    @property
    def status(self) -> int | None:
        """The HTTP status, None without a reply."""
        return int(self.code) if self.code.isdecimal() else None

    @property
    def reason(self) -> str:
        """Why it failed, as far as the status says; empty if it succeeded."""
        status = self.status
        if status is None:
            return self.code
        if status in _SUCCESS:
            return ""
        return _REASONS.get(status, "server" if status >= _SERVER_ERROR else "bad_response")


class CallLog(Telemetry):
    """Counts what the client does, as the running exporter does, and keeps the requests of polls in `calls`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def request(self, endpoint: str, code: str, seconds: float) -> None:
        """A request ended."""
        super().request(endpoint, code, seconds)
        poll = current_poll.get()
        if poll is not None:
            self.calls.append(Call(poll.state.id, poll.schedule.name, endpoint, code, seconds))

    def retry(self, reason: str) -> None:
        """A request is sent again."""
        super().retry(reason)
        poll = current_poll.get()
        own = (each for each in reversed(self.calls) if poll and each.tenant_id == poll.state.id)
        last = next((each for each in own if poll and each.collector == poll.schedule.name), None)
        if last is not None:
            last.retried = True


def outcomes(calls: Iterable[Call], tenant: TenantStatus) -> list[tuple[Call, str]]:
    """The calls of a tenant, each with `ok`, `absent` or why it failed.

    A reply may have the status 200 and still be invalid: then the last call of its collector has that outcome.
    """
    own = [call for call in calls if call.tenant_id == tenant.id]
    last = {call.collector: call for call in own}
    failures = {failure.collector: failure.reason for failure in tenant.failures}
    return [(call, _outcome(call, failures.get(call.collector, ""), last=last[call.collector] is call)) for call in own]


def _outcome(call: Call, failure: str, *, last: bool) -> str:
    if not last:
        return call.reason or "ok"
    if failure:
        return failure
    return "absent" if call.reason in _ABSENT else call.reason or "ok"
