"""Chooses the ports of the demo: the well-known one, or a free one if that is in use."""

from __future__ import annotations

import errno
import socket
from contextlib import closing

from exporter import output

HOST = "127.0.0.1"


def choose(program: str, wanted: int) -> int:
    """The wanted port of this machine, or a free one; then a line says so. Raises OutputError.

    Another program may take the port before it is used.
    """
    if not _in_use(wanted):
        return wanted
    port = _free()
    output.write(f"Port {wanted} is in use by another program: {program} uses {port} instead.\n")
    return port


def _in_use(port: int) -> bool:
    try:
        _bind(port)
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def _free() -> int:
    return _bind(0)


def _bind(port: int) -> int:
    with closing(socket.socket(socket.AF_INET)) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((HOST, port))
        bound: int = one.getsockname()[1]
        return bound
