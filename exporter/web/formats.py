"""Writes durations, times and names for people."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote, urlencode

# Longer names are cut in lists, so that 50 of them don't make a page of megabytes.
LONGEST_NAME = 120
LONGEST_TEXT = 2_000
# The end of the year 9999. Python has no later dates.
_LATEST = 253_402_300_799
# A browser takes these for folders of the path, however they are encoded.
_NO_SEGMENT = ("", ".", "..")


def format_duration(seconds: float) -> str:
    """Write a duration in its two largest units: `2 h 5 min`."""
    total = max(0, round(seconds))
    parts = [(total // 86400, "d"), (total // 3600 % 24, "h"), (total // 60 % 60, "min"), (total % 60, "s")]
    while len(parts) > 1 and not parts[0][0]:
        del parts[0]
    return " ".join(f"{amount} {unit}" for amount, unit in parts[:2] if amount) or "0 s"


def format_time(unix_seconds: float) -> str:
    """Write Unix seconds as `2026-09-01 00:00:00 UTC`."""
    return _moment(unix_seconds).strftime("%Y-%m-%d %H:%M:%S UTC")


def machine_time(unix_seconds: float) -> str:
    """Write Unix seconds as ISO 8601, for programs that read the page."""
    return _moment(unix_seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(unix_seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(min(unix_seconds, _LATEST), dt.UTC)


def format_relative(unix_seconds: float, now: float) -> str:
    """Write how far a time is from now: `5 min ago`, or `in 2 h`."""
    return (
        f"in {format_duration(unix_seconds - now)}"
        if unix_seconds > now
        else f"{format_duration(now - unix_seconds)} ago"
    )


def shown(text: str, longest: int = LONGEST_NAME) -> str:
    r"""Write a name so that it can't change what is around it: without control characters, which become `\u202e`.

    A name that is too long is cut, and one that is blank is `(no name)`.
    """
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in cut).strip() or "(no name)"


def tenant_link(tenant_id: str) -> str:
    """The address of a tenant's page, relative to that of the status page, whatever characters the id has."""
    if tenant_id in _NO_SEGMENT:
        return "tenants/?" + urlencode({"id": tenant_id})
    return "tenants/" + quote(tenant_id, safe="", errors="surrogatepass")
