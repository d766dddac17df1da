"""Takes over the sockets that systemd listens on for the exporter: socket activation.

systemd passes them as open descriptors, from 3 on, and says so in two variables; see sd_listen_fds(3).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

_FIRST = 3
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_FIX = "start the exporter by a socket unit such as deploy/kimono-exporter.socket, or set --web.systemd-socket=false"


class ActivationError(Exception):
    """No socket was passed, or one that can't be used; `str()` says why, and how to fix it."""


def sockets_passed(environ: Mapping[str, str], process_id: int) -> list[socket.socket]:
    """Return the sockets that systemd has passed to this process.

    Raises:
        ActivationError: there is none, or one is not a TCP socket that listens.
    """
    number, of_process = environ.get("LISTEN_FDS", ""), environ.get("LISTEN_PID", "")
    if not number.isdecimal() or not int(number):
        raise ActivationError(f"systemd passed no socket (LISTEN_FDS is not set); {_FIX}")
    if of_process != str(process_id):
        raise ActivationError(f"systemd passed its sockets to another process (by LISTEN_PID); {_FIX}")
    return [_socket(descriptor, descriptor - _FIRST + 1) for descriptor in range(_FIRST, _FIRST + int(number))]


def _socket(descriptor: int, number: int) -> socket.socket:
    try:
        passed = socket.socket(fileno=descriptor)
        listens = passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        raise ActivationError(f"descriptor {descriptor} that systemd passed is no socket; {_FIX}") from None
    if passed.family not in _FAMILIES or passed.type != socket.SOCK_STREAM or not listens:
        passed.detach()
        raise ActivationError(
            f"socket {number} that systemd passed is not a TCP socket that listens: its unit needs ListenStream=PORT, "
            "or an address, and Accept=no"
        )
    passed.set_inheritable(False)
    return passed
