"""Writes what commands print to standard output, and says why it can't.

Characters that the terminal's encoding does not have become `?`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TextIO


class OutputError(Exception):
    """Standard output can't be written; `str()` says why. `reader_gone` if its reader has closed it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"can't write: {getattr(error, 'strerror', None) or 'standard output is closed'}")
        self.reader_gone = isinstance(error, BrokenPipeError)


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Within it, errors of standard output are OutputError."""
    try:
        yield
    except (OSError, ValueError, AttributeError) as error:  # closed: ValueError, or there is no sys.stdout
        raise OutputError(error) from None


def write(text: str) -> None:
    """Write the text now. Raises OutputError."""
    with writing():
        sys.stdout.write(text)
        sys.stdout.flush()


def write_bytes(pieces: Iterable[bytes]) -> None:
    """Write the pieces now, as they are. Raises OutputError."""
    with writing():
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()


def complain(message: str) -> None:
    """Write a line to standard error for each line of the message, if that is possible."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.writelines(f"kimono-exporter: {line}\n" for line in message.splitlines())
        sys.stderr.flush()


def replace_what_can_not_be_encoded() -> None:
    """Print `?` for characters that the encoding of the terminal does not have, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def discard_unwritten() -> None:
    """Drop what could not be written: at exit, Python would try again, print a traceback, and change the exit code."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            _point_to_nothing(stream)


def _point_to_nothing(stream: TextIO | None) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())  # type: ignore[union-attr]  # None is an AttributeError
        os.close(nothing)
