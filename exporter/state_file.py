"""Reads and writes the file of `state.file`: the history of each tenant, which must outlive a restart.

The file is replaced as a whole: at any moment it is the old one or the new one. All functions block.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from exporter.files import HIDDEN, is_path
from exporter.history import History
from exporter.logs import internal_error
from exporter.state_format import NotUsedError, lines, parse

# Only the exporter's own user may read it: it has names of tenants.
_MODE = 0o600
# A disk that is full now may have room later. It must not stop the start.
_FULL = (errno.ENOSPC, errno.EDQUOT)


class StateFileError(Exception):
    """The file can't be used at all; `str()` says which and why."""


class InUseError(OSError):
    """Another exporter has locked the file since this one did."""


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


def _is_path(path: Path) -> bool:
    """Whether this may be shown as a path, also if its folder is still to be created in another one."""
    folder = path.parent
    return is_path(path) or (folder.parent not in (Path(), Path("/")) and is_path(folder))


class StateFile:
    """The file, and the lock that keeps other exporters from using it as well."""

    def __init__(self, path: Path) -> None:
        # Links are followed: two names of one file need the same lock, and a link must not be replaced by a file.
        self.path = Path(os.path.realpath(path))
        self._is_shown = _is_path(path)
        # The path for messages, if it is not a secret in the wrong place; `shown` is quoted.
        self.name, self.shown = (str(self.path), repr(str(self.path))) if self._is_shown else (HIDDEN, HIDDEN)
        self._temporary = self._sibling("tmp")
        self._lock: int | None = None
        self._locked = False
        self._writing = threading.Lock()

    def _sibling(self, ending: str) -> Path:
        return Path(f"{self.path}.{ending}")

    def lock(self) -> bool:
        """Lock the file, and check that it can be read and written; False if another exporter has locked it.

        Raises StateFileError if it can't be used.
        """
        try:
            self._check_path()
            self._take_lock()
            self._check_folder()
        except BlockingIOError:
            return False
        except OSError as error:
            self.unlock()
            raise self._unusable(self.cause(error)) from None
        self._locked = True
        return True

    def check(self) -> None:
        """Check what `lock` checks, without a trace: another exporter may use the file. Raises StateFileError."""
        try:
            self._check_path()
        except OSError as error:
            raise self._unusable(self.cause(error)) from None
        if not os.access(self.path.parent, os.W_OK | os.X_OK):
            raise self._unusable("no file can be created in its folder")

    def _unusable(self, reason: str) -> StateFileError:
        return StateFileError(f"can't use {self.shown}: {reason}")

    def cause(self, error: OSError) -> str:
        """What the system says of an error with the file, and of which file, if it is another one."""
        other = str(error.filename2 or error.filename or self.path)
        reason = error.strerror or type(error).__name__
        return f"{reason} ({other})" if self._is_shown and other != str(self.path) else reason

    def _take_lock(self) -> None:
        """Lock the file of the lock; raises OSError. The file itself is replaced at each write, with any lock on it."""
        descriptor = os.open(self._sibling("lock"), os.O_RDWR | os.O_CREAT, _MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        self._lock = descriptor

    def _keep_lock(self) -> None:
        """Take the lock again if its file was removed: another exporter could have a new one. Raises OSError.

        On a network file system, the descriptor of the lock may also become stale.
        """
        if not self._locked or self._has_lock():
            return
        self._close_lock()
        try:
            self._take_lock()
        except BlockingIOError:
            raise InUseError(
                errno.EBUSY, "another exporter uses it, because the file of the lock was removed"
            ) from None

    def _has_lock(self) -> bool:
        try:
            return self._lock is not None and os.path.samestat(os.fstat(self._lock), self._sibling("lock").stat())
        except OSError:
            return False

    def _close_lock(self) -> None:
        descriptor, self._lock = self._lock, None
        if descriptor is not None:
            with contextlib.suppress(OSError):  # a stale descriptor is closed in spite of the error
                os.close(descriptor)

    def _check_folder(self) -> None:
        """Check that files can be created there; raises OSError."""
        try:
            self._create_temporary().close()
        except OSError as error:
            if error.errno not in _FULL:
                raise
        finally:
            with contextlib.suppress(OSError):
                self._temporary.unlink()

    def _check_path(self) -> None:
        folder = self.path.parent
        if not folder.is_dir():
            named = f"there is no folder {str(folder)!r}" if self._is_shown else "its folder does not exist"
            raise self._unusable(f"{named}; create it")
        try:
            mode = self.path.stat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode):
            raise self._unusable("it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file")
        self._open().close()

    def unlock(self) -> None:
        """Let other exporters use the file. The file of the lock stays: removing it could break a new lock."""
        self._locked = False
        self._close_lock()

    # Reading

    def read(self, api_url: str, now: float) -> Saved:
        """The content, if it is of this API and not too old; `now` in Unix seconds.

        A file that can't be used is moved out of the way, and replaces an earlier one that was not used for the same
        kind of reason.
        """
        try:
            with self._open() as file:
                return Saved(*parse(file, api_url, now))
        except FileNotFoundError:
            return Saved()
        except NotUsedError as error:
            return Saved(set_aside=self._set_aside(error.kind, str(error)))
        except OSError as error:
            return Saved(set_aside=self._set_aside("damaged", self.cause(error)))
        except Exception as error:  # noqa: BLE001 - whatever is in the file, the exporter starts
            return Saved(set_aside=self._set_aside("damaged", internal_error(error)))

    def peek(self, api_url: str, now: float) -> Saved:
        """Like `read`, but changes nothing and needs no lock: each write replaces the file.

        Raises StateFileError if there is a file that can't be used.
        """
        try:
            self._check_path()
            with self._open() as file:
                return Saved(*parse(file, api_url, now))
        except FileNotFoundError:
            return Saved()
        except NotUsedError as error:
            raise self._unusable(str(error)) from None
        except OSError as error:
            raise self._unusable(self.cause(error)) from None
        except StateFileError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is in the file, `check` goes on without it
            raise self._unusable(internal_error(error)) from None

    def _open(self) -> BinaryIO:
        """Open it for reading; a pipe, which may have replaced it, is not waited for. Raises OSError."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return open(descriptor, "rb")  # noqa: PTH123 - a descriptor, not a path
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file")

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

        Returns the ids of tenants whose history is omitted, because it is too large, or `read` would not accept it.
        """
        omitted: list[str] = []
        with self._writing:
            self._keep_lock()
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
        try:
            os.fchmod(descriptor, _MODE)
        except BaseException:
            os.close(descriptor)
            raise
        return open(descriptor, "wb")  # noqa: PTH123 - a descriptor, not a path

    def _sync_folder(self) -> None:
        """Make the new name outlive a power failure, too. Not every file system can."""
        with contextlib.suppress(OSError):
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
