"""Starts programs that end with this process, whatever ends it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# The whole process has 4.8 s for its end; see `exporter.process`.
_STOP_SECONDS = 2.0
# Looked up here: between fork and exec, a lock of the loader may be held for ever.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
_LAST_LINES = 8192


@dataclass(frozen=True)
class Child:
    """A running program, and the file with its output."""

    process: asyncio.subprocess.Process
    log: Path

    async def ended(self) -> int:
        """Wait until it ends by itself, and return its exit code; negative is the signal that ended it."""
        return await self.process.wait()

    def last_line(self) -> str:
        """The last line of its output that is not empty."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - _LAST_LINES))
            lines = file.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")


async def start(command: Sequence[str], folder: Path, log: Path) -> Child:
    """Start a program in a process group of its own: Ctrl-C reaches only this process. Raises OSError.

    It gets none of this process's variables but PATH: they may contain secrets.
    """
    parent = os.getpid()

    def end_with_parent() -> None:
        """Let Linux end the program if this process ends without stopping it."""
        if _PRCTL is not None:
            _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
            preexec_fn=end_with_parent,  # short, and without locks that another thread may have
        )
    return Child(process, log)


async def stop(children: Sequence[Child]) -> None:
    """Stop them, and what they started. Those that do not end within 2 s are killed."""
    for child in children:
        _send(child, signal.SIGTERM)
    # Not `asyncio.timeout`: until Python 3.11.3, it raises CancelledError in a task that is being cancelled.
    ends = [asyncio.create_task(child.process.wait()) for child in children]
    if ends:
        await asyncio.wait(ends, timeout=_STOP_SECONDS)
    for child in children:
        _send(child, signal.SIGKILL)
    await asyncio.gather(*ends)


def _send(child: Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the second one of a zombie
        os.killpg(child.process.pid, number)
