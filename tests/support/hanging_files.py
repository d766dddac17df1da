"""Lets a pipe without a writer hang when it is opened, as a file on a file system that does not respond.

As a program, this is the exporter with such files.
"""

from __future__ import annotations

import os
import sys

import pytest

from exporter import files
from exporter.__main__ import main

_WAITS = files.OPEN_FLAGS & ~os.O_NONBLOCK


def let_pipes_hang(patch: pytest.MonkeyPatch) -> None:
    """Until the patch ends."""
    patch.setattr(files, "OPEN_FLAGS", _WAITS)


def kimono_with_hanging_pipes(*arguments: str) -> list[str]:
    """The command line of the exporter whose pipes hang."""
    return [sys.executable, "-m", "tests.support.hanging_files", *arguments]


if __name__ == "__main__":
    files.OPEN_FLAGS = _WAITS
    main()
