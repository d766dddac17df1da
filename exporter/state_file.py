"""Reads and writes the file of `state.file`: the history of each tenant, which must outlive a restart.

The file is replaced as a whole: at any moment it is the old one or the new one. All functions block.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from exporter.history import History
from exporter.logs import internal_error
from exporter.state_format import NotUsedError, lines, parse

# Only the exporter's own user may read it: it has names of tenants.
_MODE = 0o600


class StateFileError(Exception):
    """The file can't be used at all; `str()` says which and why."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """Why the file was not used, and where it is now; if it could not be moved, it is where it was."""

    reason: str
    path: Path


@dataclass(frozen=True, slots=True)
class Saved:
    """What the file had: histories by tenant id, and when they were saved, in Unix seconds; None if not at all."""

    histories: dict[str, History] = field(default_factory=dict)
    at: float | None = None
    set_aside: SetAside | None = None


class StateFile:
    """The file, and the lock that keeps other exporters from using it as well."""

    def __init__(self, path: Path) -> None:
        # Links are followed: two names of one file need the same lock, and a link must not be replaced by a file.
        self.path = Path(os.path.realpath(path))
        self._temporary = self._sibling("tmp")
        self._lock: int | None = None
        self._writing = threading.Lock()

    def _sibling(self, ending: str) -> Path:
        return Path(f"{self.path}.{ending}")

    def lock(self) -> bool:
        """Lock the file, and check that it can be read and written; False if another exporter has locked it.

        Raises StateFileError if it can't be used.
        """
        try:
            self._check_path()
            # The file itself is replaced at each write, and with it a lock on it.
            descriptor = os.open(self._sibling("lock"), os.O_RDWR | os.O_CREAT, _MODE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._create_temporary().close()
                self._temporary.unlink()
            except BaseException:
                os.close(descriptor)
                raise
        except BlockingIOError:
            return False
        except OSError as error:
            raise StateFileError(f"can't use {str(self.path)!r}: {error.strerror or error}") from None
        self._lock = descriptor
        return True

    def _check_path(self) -> None:
        folder = self.path.parent
        if not folder.is_dir():
            raise StateFileError(f"can't use {str(self.path)!r}: there is no folder {str(folder)!r}; create it")
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode):
            what = "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file"
            raise StateFileError(f"can't use {str(self.path)!r}: {what}")
        self.path.open("rb").close()

    def unlock(self) -> None:
        """Let other exporters use the file. The file of the lock stays: removing it could break a new lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # Reading

    def read(self, api_url: str, now: float) -> Saved:
        """The content, if it is of this API and not too old; `now` in Unix seconds.

        A file that can't be used is moved out of the way, and replaces an earlier one that was not used for the same
        kind of reason.
        """
        try:
            with self.path.open("rb") as file:
                return Saved(*parse(file, api_url, now))
        except FileNotFoundError:
            return Saved()
        except NotUsedError as error:
            return Saved(set_aside=self._set_aside(error.kind, str(error)))
        except OSError as error:
            return Saved(set_aside=self._set_aside("damaged", error.strerror or str(error)))
        except Exception as error:  # noqa: BLE001 - whatever is in the file, the exporter starts
            return Saved(set_aside=self._set_aside("damaged", internal_error(error)))

    def peek(self, api_url: str, now: float) -> dict[str, History]:
        """The histories, if they can be used. Changes nothing and needs no lock: each write replaces the file."""
        try:
            with self.path.open("rb") as file:
                return parse(file, api_url, now)[0]
        except Exception:  # noqa: BLE001 - whatever is in the file, the exporter that uses it reports it
            return {}

    def _set_aside(self, kind: str, reason: str) -> SetAside:
        aside = self._sibling(kind)
        try:
            self.path.replace(aside)
        except OSError:
            return SetAside(reason, self.path)
        return SetAside(reason, aside)

    # Writing

    def write(self, histories: Iterable[tuple[str, History]], api_url: str, now: float) -> list[str]:
        """Replace the content; `now` in Unix seconds. Raises OSError, and then the file is as it was before.

        Returns the ids of tenants whose history is omitted, because it is too large, or has what JSON can't have.
        """
        omitted: list[str] = []
        with self._writing:
            try:
                with self._create_temporary() as file:
                    for line in lines(histories, api_url, now, omitted):
                        file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
                self._temporary.replace(self.path)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._temporary.unlink()  # it may fill a disk that is full already
                raise
            self._sync_folder()
        return omitted

    def _create_temporary(self) -> BinaryIO:
        """Create the temporary file, which only its owner can read from the first moment on, whatever the umask."""
        self._temporary.unlink(missing_ok=True)
        descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        os.fchmod(descriptor, _MODE)
        return open(descriptor, "wb")  # noqa: PTH123 - a descriptor, not a path

    def _sync_folder(self) -> None:
        """Make the new name outlive a power failure, too. Not every file system can."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
