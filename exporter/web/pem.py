"""Reads a certificate or key that is either in the web configuration file or in a file of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from exporter.files import FileError, FileTimeoutError, read_bytes, shown_path
from exporter.web.section import ConfigSection
from exporter.web.stamps import Stamp, stamp_of


@dataclass(frozen=True)
class PemSetting:
    """A certificate or key in PEM format. `key` is its setting, `path` and `stamp` are of its file if it has one."""

    key: str
    inline: bytes = field(default=b"", repr=False)
    path: Path | None = None
    stamp: Stamp = None

    @classmethod
    def read(cls, section: ConfigSection, name: str, directory: Path) -> PemSetting | None:
        """Read the setting `name`, or the file that `name` with `_file` gives; None with a problem in the section."""
        inline, file = section.text(name), section.text(f"{name}_file")
        if inline and file:
            section.problem(f"{name}_file", f"must not be set together with {name}")
        elif inline:
            return cls(name, inline.encode())
        elif file:
            return cls._from_file(section, f"{name}_file", Path(file), directory)
        else:
            section.problem(f"{name}_file", "is missing")
        return None

    @classmethod
    def _from_file(cls, section: ConfigSection, key: str, file: Path, directory: Path) -> PemSetting | None:
        path = directory / file
        try:
            stamp = stamp_of(path)
            read_bytes(path)  # OpenSSL does not say why it can't read a file, and waits for one that hangs
            return cls(key, path=path, stamp=stamp)
        except FileTimeoutError as error:
            section.problem(key, str(error))
        except FileError as error:
            section.problem(key, f"can't read {shown_path(file, directory)}: {error.reason}")
        return None

    @contextmanager
    def as_file(self) -> Iterator[str]:
        """Yield the path of a file with it: Python's ssl module reads keys from files only.

        Raises:
            OSError: it can't be made.
        """
        if self.path:
            yield str(self.path)
        elif hasattr(os, "memfd_create"):  # in memory, so that the key is not on a disk
            with os.fdopen(os.memfd_create("pem"), "wb") as file:
                file.write(self.inline)
                file.flush()
                yield f"/proc/self/fd/{file.fileno()}"
        else:
            with tempfile.NamedTemporaryFile() as file:  # only its owner can read it
                file.write(self.inline)
                file.flush()
                yield file.name
