"""Injects faults on demand.

Most faults are replies. Wire faults (`WIRE_KINDS`) need a socket, so the server applies them.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from email.utils import formatdate

from exporter.simulator.http_messages import ApiError, Reply, error_reply, json_reply

WIRE_KINDS = frozenset({"latency", "hang", "reset", "cut", "huge", "gzip_bomb"})
KINDS = WIRE_KINDS | {
    *("throttle", "unavailable", "server_error", "html", "not_json", "wrong_json", "expired_token"),
    *("revoked_secret", "redirect", "unauthorized", "forbidden", "not_found"),
}
_DEEPLY_NESTED = "[" * 100_000 + "]" * 100_000
_WRONG_BODIES = ("[]", '"x"', '{"data": 5}', "{}", _DEEPLY_NESTED, "null", '{"data": [[1], "x", 7, true]}')
_STATUS = {"server_error": 500, "html": 502, "unavailable": 503, "throttle": 429, "redirect": 302}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to inject.

    Args:
        kind: one of `KINDS`; ValueError otherwise.
        tenant_id: only for this tenant; None for all, and for the account.
        endpoint: only for this path template, such as `/ingestions/{id}` or `/oauth/token`; None for all.
        times: how often it applies before it is removed; None for no limit.
        until: Unix seconds at which it is removed; None for never.
        every: apply to every n-th matching request only; None for each.
        status: of `server_error` (default 500) and `html` (default 502).
        seconds: the duration of `latency`; how far in the future a `Retry-After` date is.
        retry_after: of `throttle` and `unavailable`: seconds, `date` for an HTTP date, any other text as it is;
            None for no header.
        size: bytes of `huge`, and of `gzip_bomb` when unpacked.
        location: the target of `redirect`.
        body: the text of `not_json` and `wrong_json`; None for made-up ones that differ each time.
    """

    kind: str
    tenant_id: str | None = None
    endpoint: str | None = None
    times: int | None = None
    until: float | None = None
    every: int | None = None
    _: KW_ONLY
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

    def check_and_count(self, endpoint: str, tenant_id: str | None) -> bool:
        """Count a request, and return whether the fault applies to it."""
        fault = self.fault
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

    def select(self, endpoint: str, tenant_id: str | None, now: float) -> list[ActiveFault]:
        """The faults that apply to this request, in the order in which they were added. Each call counts."""
        self._active = [one for one in self._active if one.fault.until is None or now < one.fault.until]
        selected = [one for one in self._active if one.check_and_count(endpoint, tenant_id)]
        for active in selected:
            if active.applied == active.fault.times:
                self.remove(active)
        return selected


def fault_reply(active: ActiveFault, endpoint: str, now: float) -> Reply | None:
    """The reply that the fault causes; None if it leaves the reply as it is."""
    fault = active.fault
    status = fault.status or _STATUS.get(fault.kind, 200)
    if fault.kind in ("throttle", "unavailable"):
        return error_reply(ApiError(status, fault.kind, "Slow down.", _retry_after(fault, now)))
    if fault.kind == "server_error":
        return error_reply(ApiError(status, "internal", "Something went wrong."))
    if fault.kind in ("unauthorized", "forbidden", "not_found"):
        return _refusal(fault.kind)
    if fault.kind == "revoked_secret":
        return _revoked(endpoint)
    return _malformed_reply(active, status)


def _malformed_reply(active: ActiveFault, status: int) -> Reply | None:
    fault = active.fault
    if fault.kind == "redirect":
        return Reply(status, {"Location": fault.location}, b"")
    if fault.kind == "html":
        page = f"<html><head><title>{status}</title></head><body><h1>gateway</h1></body></html>"
        return Reply(status, {"Content-Type": "text/html; charset=utf-8"}, page.encode())
    json_type = {"Content-Type": "application/json"}
    if fault.kind == "not_json":
        text = '{"data": [{"name": "cut off' if fault.body is None else fault.body
        return Reply(200, json_type, text.encode())
    if fault.kind == "wrong_json":
        text = _WRONG_BODIES[(active.applied - 1) % len(_WRONG_BODIES)] if fault.body is None else fault.body
        return Reply(200, json_type, text.encode())
    return None


def _retry_after(fault: Fault, now: float) -> dict[str, str]:
    if fault.retry_after is None:
        return {}
    if fault.retry_after == "date":
        return {"Retry-After": formatdate(now + fault.seconds, usegmt=True)}
    return {"Retry-After": str(fault.retry_after)}


def _refusal(kind: str) -> Reply:
    status = {"unauthorized": 401, "forbidden": 403, "not_found": 404}[kind]
    return error_reply(ApiError(status, kind, kind.replace("_", " ").capitalize() + "."))


def _revoked(endpoint: str) -> Reply:
    if endpoint == "/oauth/token":
        return json_reply({"error": "invalid_client", "error_description": "Client authentication failed."}, 401)
    return _refusal("unauthorized")
