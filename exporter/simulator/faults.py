"""Injects faults on demand.

Most faults are replies. Wire faults (`WIRE_KINDS`) need a socket, so the server applies them: `altered_replies` has
those that send the true reply in another form, `wire_faults` those that break the connection or the protocol.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from email.utils import formatdate

from exporter.simulator.http_messages import ApiError, Reply, error_reply, json_reply

# The true reply, in another form. The name says which.
ALTERED_KINDS = frozenset(
    {
        *("false_gzip", "x_gzip", "deflate", "double_gzip", "truncated_gzip", "unknown_encoding"),
        *("latin_1", "utf_16", "byte_order_mark", "unknown_charset", "false_charset"),
        *("large_header", "many_headers", "cookie", "next_elsewhere"),
    }
)
# The true reply, with something wrong on the connection.
BROKEN_KINDS = frozenset(
    {
        *("cut", "reset_in_body", "hang_in_body", "slow_bytes", "unsolicited", "unsolicited_later", "trailing_bytes"),
        *("informational", "te_and_length", "two_lengths", "bad_chunks", "no_length", "http_1_0", "closes"),
    }
)
# No true reply.
SILENT_KINDS = frozenset(
    {
        *("hang", "reset", "disconnect", "huge", "gzip_bomb", "deflate_bomb", "not_http"),
        *("switching_protocols", "endless_informational"),
    }
)
WIRE_KINDS = ALTERED_KINDS | BROKEN_KINDS | SILENT_KINDS | {"latency"}
KINDS = WIRE_KINDS | {
    *("throttle", "unavailable", "server_error", "status", "html", "not_json", "wrong_json", "expired_token", "empty"),
    *("revoked_secret", "redirect", "unauthorized", "forbidden", "not_found", "token_error", "many_items", "endless"),
}
# The account, as the `tenant_id` of a fault.
ACCOUNT = ""
_DEEPLY_NESTED = "[" * 100_000 + "]" * 100_000
_WRONG_BODIES = ("[]", '"x"', '{"data": 5}', "{}", _DEEPLY_NESTED, "null", '{"data": [[1], "x", 7, true]}')
_BODIES = {
    "empty": "",
    "endless": '{"data": [{"id": "endless"}], "paging": {"next": "/endless"}}',
    "not_json": '{"data": [{"name": "cut off',
    "status": "",
    "token_error": '{"error": "invalid_client", "error_description": "Client authentication failed."}',
}
_STATUS = {"server_error": 500, "html": 502, "unavailable": 503, "throttle": 429, "redirect": 302}
_REFUSALS = {"unauthorized": 401, "forbidden": 403, "not_found": 404}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to inject.

    Args:
        kind: one of `KINDS`; ValueError otherwise.
        tenant_id: only for this tenant, or for the account if it is `ACCOUNT`; None for all, and for the account.
        endpoint: only for this path template, such as `/ingestions/{id}` or `/oauth/token`; None for all.
        times: how often it applies before it is removed; None for no limit.
        until: Unix seconds at which it is removed; None for never.
        every: apply to every n-th matching request only; None for each.
        page: apply only to requests for this page, from 0; None for all.
        status: of `server_error` (default 500), `html` (default 502), `status`, `empty`, `token_error` (default 200).
        seconds: the duration of `latency`; between two bytes of `slow_bytes`; before the reply of `unsolicited_later`;
            how far in the future a `Retry-After` date is.
        retry_after: of all kinds with an error's status: seconds, `date` for an HTTP date, any other text as it is;
            None for no header.
        size: bytes of `huge`, of `many_items` and of the headers of `large_header` and `many_headers`; of `gzip_bomb`
            and `deflate_bomb` when unpacked.
        location: the target of `redirect`; the base of the next page's address of `next_elsewhere`.
        body: the text of `not_json`, `wrong_json` and `status`; None for made-up ones.
    """

    kind: str
    tenant_id: str | None = None
    endpoint: str | None = None
    times: int | None = None
    until: float | None = None
    every: int | None = None
    _: KW_ONLY
    page: int | None = None
    status: int | None = None
    seconds: float = 5.0
    retry_after: float | str | None = None
    size: int = 64 * 1024 * 1024
    location: str = "https://redirect.invalid/elsewhere"
    body: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {self.kind!r}: the kinds are {', '.join(sorted(KINDS))}")


class WireFault(Exception):  # noqa: N818 - it carries a fault that a test injected, not an error
    """`Simulator.reply` can't apply this `fault`, which needs a socket (see `WIRE_KINDS`)."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.kind} can only be served over a socket")
        self.fault = fault


class ActiveFault:
    """A fault that has been added. `applied` counts the requests to which it has applied."""

    def __init__(self, fault: Fault, faults: Faults) -> None:
        self.fault = fault
        self.applied = 0
        self._matched = 0
        self._faults = faults

    def remove(self) -> None:
        """Remove the fault; no effect if it is removed already."""
        self._faults.remove(self)

    def check_and_count(self, endpoint: str, tenant_id: str, page: str) -> bool:
        """Count a request, and return whether the fault applies to it."""
        fault = self.fault
        if fault.page is not None and page != str(fault.page):
            return False
        if fault.endpoint not in (None, endpoint) or fault.tenant_id not in (None, tenant_id):
            return False
        self._matched += 1
        if fault.every is not None and self._matched % fault.every:
            return False
        self.applied += 1
        return True


class Faults:
    """The active faults of one simulator."""

    def __init__(self) -> None:
        self._active: list[ActiveFault] = []

    def __bool__(self) -> bool:
        return bool(self._active)

    def add(self, fault: Fault) -> ActiveFault:
        """Inject a fault from now on."""
        active = ActiveFault(fault, self)
        self._active.append(active)
        return active

    def remove(self, active: ActiveFault) -> None:
        """Remove a fault; no effect if it is removed already."""
        if active in self._active:
            self._active.remove(active)

    def clear(self) -> None:
        """Remove all faults."""
        self._active.clear()

    def select(self, endpoint: str, tenant_id: str | None, now: float, page: str = "") -> list[ActiveFault]:
        """The faults that apply to this request, in the order in which they were added. Each call counts."""
        self._active = [one for one in self._active if one.fault.until is None or now < one.fault.until]
        selected = [one for one in self._active if one.check_and_count(endpoint, tenant_id or ACCOUNT, page)]
        for active in selected:
            if active.applied == active.fault.times:
                self.remove(active)
        return selected


def fault_reply(active: ActiveFault, endpoint: str, now: float) -> Reply | None:
    """The reply that the fault causes; None if it leaves the reply as it is."""
    fault = active.fault
    status = fault.status or _STATUS.get(fault.kind) or _REFUSALS.get(fault.kind, 200)
    headers = _retry_after(fault, now)
    if fault.kind in ("throttle", "unavailable"):
        return error_reply(ApiError(status, fault.kind, "Slow down.", headers))
    if fault.kind == "server_error":
        return error_reply(ApiError(status, "internal", "Something went wrong.", headers))
    if fault.kind in _REFUSALS:
        return _refusal(fault.kind, headers)
    if fault.kind == "revoked_secret":
        return _revoked(endpoint)
    return _malformed_reply(active, status, headers)


def _malformed_reply(active: ActiveFault, status: int, headers: dict[str, str]) -> Reply | None:
    fault = active.fault
    if fault.kind == "redirect":
        return Reply(status, {"Location": fault.location}, b"")
    if fault.kind == "html":
        page = f"<html><head><title>{status}</title></head><body><h1>gateway</h1></body></html>"
        return Reply(status, {"Content-Type": "text/html; charset=utf-8", **headers}, page.encode())
    text = _wrong_text(active)
    return None if text is None else Reply(status, {"Content-Type": "application/json", **headers}, text.encode())


def _wrong_text(active: ActiveFault) -> str | None:
    """The body of a fault whose body is wrong; None for other kinds."""
    fault = active.fault
    if fault.body is not None:
        return fault.body
    if fault.kind == "wrong_json":
        return _WRONG_BODIES[(active.applied - 1) % len(_WRONG_BODIES)]
    if fault.kind == "many_items":
        return '{"data": [' + "{}," * ((fault.size - 13) // 3) + "{}]}"
    return _BODIES.get(fault.kind)


def _retry_after(fault: Fault, now: float) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    if fault.retry_after == "date":
        return {"Retry-After": formatdate(now + fault.seconds, usegmt=True)}
    return {"Retry-After": str(fault.retry_after)}


def _refusal(kind: str, headers: dict[str, str]) -> Reply:
    return error_reply(ApiError(_REFUSALS[kind], kind, kind.replace("_", " ").capitalize() + ".", headers))


def _revoked(endpoint: str) -> Reply:
    if endpoint == "/oauth/token":
        return json_reply({"error": "invalid_client", "error_description": "Client authentication failed."}, 401)
    return _refusal("unauthorized", {})
