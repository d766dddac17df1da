"""Tells whether a file has changed, without reading it."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int, int, int] | None


def stamp_of(path: Path) -> Stamp:
    """Return what changes when a file is replaced or written to, None if the file can't be found."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
