"""Refuses requests that a page of another site, open in the same browser, makes to a server on loopback.

Each request must name this server as its host: an attacker can point a name of theirs to loopback. And each change must
come from this origin, or from a program that is no browser.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web


def check_origin(request: web.Request, headers: Mapping[str, str] | None = None) -> None:
    """Raise HTTPForbidden, with these headers, for other hosts, and for changes that come from other origins."""
    own = request.headers.get("Host", "")
    if _without_port(own) not in ("127.0.0.1", "localhost", "[::1]"):
        raise web.HTTPForbidden(text="this server is on loopback: its address is not this host\n", headers=headers)
    if request.method == "POST":
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        if origin not in (None, f"http://{own}") or site not in ("same-origin", "none"):
            raise web.HTTPForbidden(text="this request comes from another site\n", headers=headers)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
