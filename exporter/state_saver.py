"""Saves the tenants' histories in the state file: once a minute, and at the end.

Histories are immutable. So the event loop only lists them; a thread turns them into bytes and writes them.
"""

from __future__ import annotations

import asyncio
import errno
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import structlog

from exporter.clock import Clock
from exporter.history import History
from exporter.logs import internal_error
from exporter.state_file import Saved, StateFile, StateFileError
from exporter.telemetry import Telemetry
from exporter.threads import in_daemon_thread

log = structlog.get_logger("exporter.state_saver")

_EVERY = 60.0
# Unchanged histories are saved as well, so that the file of a running exporter never gets too old to be used.
_AT_LEAST_EVERY = 3600.0
# The process must stop within 5 s, and the web server takes up to 2 s of them.
_LAST_SECONDS = 2.5
# A write that takes longer is reported; there is no second one beside it.
_WRITE_SECONDS = 30.0
# A disk that hangs must not keep the start waiting. Reading a large file takes some seconds.
_CHECK_SECONDS, _READ_SECONDS = 10.0, 60.0
# An exporter that is stopping, or a run of `once`, lets go of the file soon.
_LOCK_SECONDS = 3.0
_LOCK_PAUSE = 0.1

_HOW_TO_FIX = {
    errno.ENOSPC: "make room on the disk of state.file",
    errno.EDQUOT: "make room on the disk of state.file, or raise the quota of the exporter's user",
    errno.EBUSY: "stop the other exporter, or give each its own state.file",
}
_HOW_TO_FIX_OTHERS = "check the disk of state.file, and that the exporter can write to the folder"
_UNTIL_THEN = "until then, a restart loses what is new"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What to save: histories by tenant id, and the API that they are of; `changes` differs if they have changed."""

    api_url: str
    histories: Sequence[tuple[str, History]]
    changes: int


class StateSaver:
    """Saves what a snapshot shows. Failures are logged and stop nothing."""

    def __init__(
        self,
        file: StateFile,
        saved_at: float | None,
        snapshot: Callable[[], Snapshot],
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        """`saved_at` is when the file was saved that was restored, in Unix seconds."""
        self._file = file
        self._snapshot = snapshot
        self._telemetry = telemetry
        self._clock = clock
        self._changes = 0
        self._saved_at = clock.monotonic()
        self._failing = False
        self._omitted: frozenset[str] = frozenset()
        if saved_at is not None:
            telemetry.state_saved(min(saved_at, clock.now()))  # the clock may have been set back

    async def run(self) -> None:
        """Save once a minute, until cancelled."""
        while True:
            await self._clock.sleep(_EVERY)
            await self.save()

    async def finish(self) -> None:
        """Save for the last time, within 2.5 s."""
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await self.save()
        except TimeoutError:
            self._log_failure(f"not done within {_LAST_SECONDS:g} s")

    async def save(self) -> None:
        """Save what has changed since the last time."""
        snapshot, started = self._snapshot(), self._clock.monotonic()
        if snapshot.changes == self._changes and started - self._saved_at < _AT_LEAST_EVERY:
            return
        now = self._clock.now()
        hangs = f"not done within {_WRITE_SECONDS:g} s, the exporter still waits for the disk"
        report = asyncio.get_running_loop().call_later(_WRITE_SECONDS, self._log_failure, hangs)
        try:
            omitted = await in_daemon_thread(self._file.write, snapshot.histories, snapshot.api_url, now)
        except OSError as error:
            self._log_failure(self._file.cause(error), _HOW_TO_FIX.get(error.errno or 0, _HOW_TO_FIX_OTHERS))
        except Exception as error:  # noqa: BLE001 - an internal error here must not stop the polls
            self._log_failure(internal_error(error), "please report it")
        else:
            self._changes, self._saved_at = snapshot.changes, started
            self._telemetry.state_saved(now)
            if self._failing:
                log.info("state is saved again", file=self._file.name)
            self._failing = False
            self._log_omitted(frozenset(omitted))
        finally:
            report.cancel()

    def _log_omitted(self, tenants: frozenset[str]) -> None:
        for tenant in sorted(tenants - self._omitted):
            log.warning("history can't be saved", tenant_id=tenant, reason="it is too large, or not valid")
        self._omitted = tenants

    def _log_failure(self, reason: str, how_to_fix: str = _HOW_TO_FIX_OTHERS) -> None:
        if not self._failing:
            fix = f"{how_to_fix}; {_UNTIL_THEN}"
            log.error("state can't be saved", file=self._file.name, reason=reason, how_to_fix=fix)
        self._failing = True


@asynccontextmanager
async def locked(path: Path, clock: Clock) -> AsyncIterator[StateFile]:
    """The state file, locked; waits briefly for another exporter that uses it. Raises StateFileError."""
    file, begun = await _within(_CHECK_SECONDS, path, StateFile, path), clock.monotonic()
    while not await _within(_CHECK_SECONDS, path, file.lock):
        if clock.monotonic() - begun >= _LOCK_SECONDS:
            raise StateFileError(f"another exporter uses {file.shown}; stop it, or give each its own file")
        await clock.sleep(_LOCK_PAUSE)
    try:
        yield file
    finally:
        file.unlock()


async def restore(file: StateFile, api_url: str, now: float) -> Saved:
    """What the file has, read in a thread; `now` in Unix seconds. Log if the file can't be used.

    Raises StateFileError if the disk hangs. Histories stay, so they are exempt from garbage collection: scanning them
    again and again takes longer than reading them, and stalls the event loop.
    """
    gc.collect()  # so that no garbage is exempt; this early, there is little to scan
    gc.disable()
    try:
        saved = await _within(_READ_SECONDS, file.path, file.read, api_url, now)
    finally:
        gc.freeze()
        gc.enable()
    if saved.set_aside:
        log.warning(
            "state file not used",
            reason=saved.set_aside.reason,
            moved_to=str(saved.set_aside.path),
            how_to_fix="history begins anew; to use the file after all, stop the exporter, fix this, and move it back",
        )
    return saved


async def peek(path: Path, api_url: str, now: float) -> Saved:
    """What the file has, which another exporter may use; `now` in Unix seconds.

    Raises StateFileError if there is a file that can't be used, or if the disk hangs.
    """
    return await _within(_CHECK_SECONDS, path, lambda: StateFile(path).peek(api_url, now))


async def check(path: Path) -> None:
    """Check that the file can be used, and change nothing. Raises StateFileError."""
    await _within(_CHECK_SECONDS, path, lambda: StateFile(path).check())


async def _within(seconds: float, path: Path, call: Callable[..., T], *args: object) -> T:
    """Return what the call returns, which uses the disk; StateFileError if it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await in_daemon_thread(call, *args)
    except TimeoutError:
        raise StateFileError(f"can't use {str(path)!r}: its disk does not respond within {seconds:g} s") from None
