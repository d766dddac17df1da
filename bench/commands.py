"""Receives commands on standard input and prints answers, for the measured processes.

A command is a line of words, an answer is a line of JSON. A process ends with its input, so that none is left if the
process that started it dies.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator


def respond(**answer: object) -> None:
    """Print an answer as one line of JSON."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def commands() -> AsyncIterator[list[str]]:
    """Yield the words of each command until the input ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().split()
