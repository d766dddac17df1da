"""Measures what it costs to start the program and to end it at once."""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median

from bench.children import ENVIRON
from bench.figures import Target

_COMMANDS = ("--version", "--help")
_TRIES = 5
_MOST_SECONDS = 0.3
TARGETS = tuple(Target(f"{command}: s of CPU", _MOST_SECONDS) for command in _COMMANDS)


def figures(_tenants: int) -> dict[str, float]:
    """Seconds of CPU time of each command."""
    return {f"{command}: s of CPU": median(_cpu(command) for _ in range(_TRIES)) for command in _COMMANDS}


def _cpu(command: str) -> float:
    before = _used()
    subprocess.run([sys.executable, "-m", "exporter", command], check=True, env=ENVIRON, stdout=subprocess.DEVNULL)
    return _used() - before


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
