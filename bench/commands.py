"""How does a measured process hear what to do, and tell what it found?

A command is a line on standard input, an answer is a line of JSON on standard output. When the input ends, so
does the process: nothing is left behind if whoever started it dies.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator


def answer(**facts: object) -> None:
    """Tell what was found, in one line."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def commands() -> AsyncIterator[list[str]]:
    """The words of each command, until there are no more."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().split()
