"""What breaks, for whom, how often?

Faults on demand. Most are replies; those of the wire (`WIRE`) need a socket, so the server applies them.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from email.utils import formatdate

from exporter.simulator.messages import Refused, Reply, error_reply, json_reply

WIRE = frozenset({"latency", "hang", "reset", "cut", "huge", "gzip_bomb"})
KINDS = WIRE | {
    *("throttle", "unavailable", "server_error", "html", "not_json", "wrong_json", "expired_token"),
    *("revoked_secret", "redirect", "unauthorized", "forbidden", "not_found"),
}
_DEEP = 100_000
_WRONG = ("[]", '"x"', '{"data": 5}', "{}", "[" * _DEEP + "]" * _DEEP, "null", '{"data": [[1], "x", 7, true]}')
_STATUS = {"server_error": 500, "html": 502, "unavailable": 503, "throttle": 429, "redirect": 302}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks.

    Args:
        kind: one of `KINDS`; ValueError otherwise.
        tenant_id: only for this tenant; None for all, and for the account.
        endpoint: only for this path template, such as `/ingestions/{id}` or `/oauth/token`; None for all.
        times: how often it strikes before it is gone; None for ever.
        until: Unix seconds at which it is gone; None for never.
        every: strike only every so many matching requests; None for each.
        status: of `server_error` (500), `html` (502).
        seconds: how long `latency` lasts; how far in the future the date of `throttle` is.
        retry_after: of `throttle` and `unavailable`: seconds, `date` for an HTTP date, anything else as it is;
            None for no header.
        size: bytes of `huge`, and of `gzip_bomb` when unpacked.
        location: where `redirect` points to.
        body: the text of `not_json` and `wrong_json`; None for made-up ones, another one each time.
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
            raise ValueError(f"no fault of the kind {self.kind!r}: there are {', '.join(sorted(KINDS))}")


class WireFault(Exception):  # noqa: N818 - named for what happened
    """`Simulator.reply` was struck by a fault that needs a socket (see `WIRE`); `fault` says which."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.kind} can only be served over a socket")
        self.fault = fault


class Handle:
    """A fault that has been added. `hits` counts how often it has struck."""

    def __init__(self, fault: Fault, faults: Faults) -> None:
        self.fault = fault
        self.hits = 0
        self._seen = 0
        self._faults = faults

    def remove(self) -> None:
        """End the fault; nothing if it is over already."""
        self._faults.remove(self)

    def strikes(self, endpoint: str, tenant_id: str | None) -> bool:
        """Whether the fault strikes this request; counts it."""
        fault = self.fault
        if fault.endpoint not in (None, endpoint) or fault.tenant_id not in (None, tenant_id):
            return False
        self._seen += 1
        if fault.every is not None and self._seen % fault.every:
            return False
        self.hits += 1
        return True


class Faults:
    """The faults of one simulator."""

    def __init__(self) -> None:
        self._handles: list[Handle] = []

    def __bool__(self) -> bool:
        return bool(self._handles)

    def add(self, fault: Fault) -> Handle:
        """Let something break from now on."""
        handle = Handle(fault, self)
        self._handles.append(handle)
        return handle

    def remove(self, handle: Handle) -> None:
        """End a fault; nothing if it is over already."""
        if handle in self._handles:
            self._handles.remove(handle)

    def clear(self) -> None:
        """End all faults."""
        self._handles.clear()

    def strike(self, endpoint: str, tenant_id: str | None, now: float) -> list[Handle]:
        """The faults that strike this request, in the order in which they were added."""
        self._handles = [one for one in self._handles if one.fault.until is None or now < one.fault.until]
        struck = [one for one in self._handles if one.strikes(endpoint, tenant_id)]
        for handle in struck:
            if handle.hits == handle.fault.times:
                self.remove(handle)
        return struck


def fault_reply(handle: Handle, endpoint: str, now: float) -> Reply | None:
    """What a struck request is answered; None if the request goes on as if nothing had been."""
    fault = handle.fault
    status = fault.status or _STATUS.get(fault.kind, 200)
    if fault.kind in ("throttle", "unavailable"):
        return error_reply(Refused(status, fault.kind, "Slow down.", _retry_after(fault, now)))
    if fault.kind == "server_error":
        return error_reply(Refused(status, "internal", "Something went wrong."))
    if fault.kind in ("unauthorized", "forbidden", "not_found"):
        return _refusal(fault.kind)
    if fault.kind == "revoked_secret":
        return _revoked(endpoint)
    return _strange_reply(handle, status)


def _strange_reply(handle: Handle, status: int) -> Reply | None:
    fault = handle.fault
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
        text = _WRONG[(handle.hits - 1) % len(_WRONG)] if fault.body is None else fault.body
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
    return error_reply(Refused(status, kind, kind.replace("_", " ").capitalize() + "."))


def _revoked(endpoint: str) -> Reply:
    if endpoint == "/oauth/token":
        return json_reply({"error": "invalid_client", "error_description": "Client authentication failed."}, 401)
    return _refusal("unauthorized")
