"""Writes archives that depend on nothing but names, contents and one time."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def pack(archive: Path, files: Mapping[str, Path], at: int) -> None:
    """Write a .tar.gz of regular files, by their names in it. `at` (Unix seconds) is the time of all.

    Links are followed. Owners and permissions of this machine are not kept.
    """
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            content = files[name].read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), at, 0o644
            tar.addfile(entry, io.BytesIO(content))
    archive.write_bytes(gzip.compress(plain.getvalue(), mtime=at))


def below(folder: Path, prefix: str) -> dict[str, Path]:
    """All files below a folder, by their paths in it, with a prefix."""
    return {f"{prefix}/{path.relative_to(folder)}": path for path in folder.rglob("*") if path.is_file()}


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive; names that lead out of the folder are refused."""
    inside = folder.resolve()
    with tarfile.open(archive) as tar:
        for entry in tar:
            if not (inside / entry.name).resolve().is_relative_to(inside):
                raise ValueError(f"{archive.name} has a name that leads out of its folder: {entry.name}")
        if hasattr(tarfile, "data_filter"):  # Python 3.11.2, which Debian 12 has, does not know it
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)  # noqa: S202 - names were compared above, and the archives are made here
