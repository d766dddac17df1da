"""Tests when the state file is saved, what is logged, and that no failure stops anything."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from exporter import state_saver
from exporter.clock import Clock
from exporter.history import History
from exporter.state_file import InUseError, StateFile, StateFileError
from exporter.state_saver import Snapshot, StateSaver, locked, peek, restore
from exporter.telemetry import STATE_SAVED, Telemetry
from tests.support.virtual_time import START, run_virtual, virtual_clock

URL = "https://api.example"


def of(number: int) -> OSError:
    return OSError(number, os.strerror(number))


FULL = of(errno.ENOSPC)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """The lines that are logged while the test runs."""
    with structlog.testing.capture_logs() as captured:
        yield captured


class Written(StateFile):
    """A file that notes when it was written instead, and fails as long as there is an `error`."""

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(path)
        self.clock = clock
        self.at: list[float] = []
        self.threads: set[str] = set()
        self.error: Exception | None = None
        self.omitted: list[str] = []

    def write(self, histories: Iterable[tuple[str, History]], api_url: str, now: float) -> list[str]:
        assert (list(histories), api_url) == ([("a", History())], URL)
        self.threads.add(threading.current_thread().name)
        if self.error:
            raise self.error
        self.at.append(now - START)
        return self.omitted


class Run:
    """A saver of a file, and what it is shown."""

    def __init__(self, path: Path, saved_at: float | None = None) -> None:
        self.clock, self.telemetry = virtual_clock(), Telemetry()
        self.file = Written(path, self.clock)
        self.changes = 0
        self.saver = StateSaver(self.file, saved_at, self.snapshot, self.telemetry, self.clock)

    def snapshot(self) -> Snapshot:
        return Snapshot(URL, [("a", History())], self.changes)

    def exposed(self) -> float | None:
        return self.telemetry.registry.get_sample_value(STATE_SAVED.name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.saver.run())
        yield
        task.cancel()


def test_it_saves_once_a_minute_what_has_changed_in_a_thread(tmp_path: Path) -> None:
    async def scenario() -> None:
        run = Run(tmp_path / "state")
        async with run.running():
            for _ in range(100):
                await run.clock.sleep(1)
                run.changes += 1
            await run.clock.sleep(650)
            assert run.file.at == [60, 120], "the last change is saved, and then nothing changes"
            run.changes += 1
            await run.clock.sleep(120)
            assert run.file.at == [60, 120, 780]
            assert run.exposed() == START + 780
        assert threading.current_thread().name not in run.file.threads

    run_virtual(scenario())


def test_it_saves_once_an_hour_though_nothing_changes(tmp_path: Path) -> None:
    async def scenario() -> None:
        run = Run(tmp_path / "state")
        async with run.running():
            await run.clock.sleep(3 * 3600 + 30)
            assert run.file.at == [3600, 7200, 10800]

    run_virtual(scenario())


def test_it_saves_at_the_end_if_anything_has_changed(tmp_path: Path) -> None:
    async def scenario() -> None:
        run = Run(tmp_path / "state")
        await run.saver.finish()
        assert run.file.at == []
        run.changes = 1
        await run.saver.finish()
        await run.saver.finish()
        assert run.file.at == [0]

    run_virtual(scenario())


def test_the_time_of_the_restored_file_is_exposed_until_the_first_save(tmp_path: Path) -> None:
    async def scenario() -> None:
        assert Run(tmp_path / "state").exposed() is None
        run = Run(tmp_path / "state", START - 3600)
        assert run.exposed() == START - 3600
        run.changes = 1
        await run.saver.save()
        assert run.exposed() == START

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("error", "reason", "fix"),
    [
        (FULL, "No space left on device", "make room on the disk of state.file; until then, a restart loses what is"),
        (of(errno.EDQUOT), "Disk quota exceeded", "make room on the disk of state.file, or raise the quota"),
        (of(errno.EROFS), "Read-only file system", "check the disk of state.file, and that the exporter can write to"),
        (InUseError(errno.EBUSY, "another"), "another", "stop the other exporter, or give each its own state.file; "),
        (KeyError("S3CR3T"), "internal error: KeyError at ", "please report it; until then, a restart loses"),
    ],
)
def test_a_failure_is_logged_once_with_its_fix_and_so_is_its_end(
    error: Exception, reason: str, fix: str, tmp_path: Path, lines: list[Any]
) -> None:
    async def scenario() -> None:
        run = Run(tmp_path / "state")
        run.file.error, run.changes = error, 1
        async with run.running():
            await run.clock.sleep(310)
            assert run.exposed() is None
            run.file.error = None
            await run.clock.sleep(310)
            assert run.file.at == [360], "it is tried again a minute later, though nothing has changed since"

    run_virtual(scenario())
    assert [line["event"] for line in lines] == ["state can't be saved", "state is saved again"]
    assert lines[0]["reason"].startswith(reason)
    assert lines[0]["how_to_fix"].startswith(fix)
    assert lines[0]["file"] == str(tmp_path / "state")


def test_the_time_of_a_file_from_the_future_is_not_exposed(tmp_path: Path) -> None:
    """The clock was set back, and an alert must not wait until it is as late again."""

    async def scenario() -> None:
        assert Run(tmp_path / "state", START + 3600).exposed() == START

    run_virtual(scenario())


def test_a_disk_that_hangs_is_logged_once_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    calls = []

    async def scenario() -> None:
        run, go_on = Run(tmp_path / "state"), asyncio.Event()

        async def hang(call: Callable[..., list[str]], *args: object) -> list[str]:
            calls.append(run.clock.now() - START)
            await go_on.wait()
            return call(*args)

        monkeypatch.setattr(state_saver, "in_daemon_thread", hang)
        run.changes = 1
        async with run.running():
            await run.clock.sleep(89)
            assert lines == []
            await run.clock.sleep(2)
            assert [line["event"] for line in lines] == ["state can't be saved"]
            await run.clock.sleep(3600)
            assert calls == [60], "no other write is begun beside it"
            assert run.exposed() is None
            go_on.set()
            await run.clock.sleep(1)
            assert run.exposed() == START + 60
            run.changes = 2
            await run.clock.sleep(120)

    run_virtual(scenario())
    assert [line["event"] for line in lines] == ["state can't be saved", "state is saved again"]
    assert lines[0]["reason"] == "not done within 30 s, the exporter still waits for the disk"
    assert lines[0]["how_to_fix"].startswith("check the disk of state.file")


async def never(*_: object) -> None:
    await asyncio.Event().wait()


def test_a_disk_that_hangs_at_the_start_is_an_error_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        clock, file = virtual_clock(), StateFile(tmp_path / "state")
        monkeypatch.setattr(state_saver, "in_daemon_thread", never)
        for opening, seconds in (
            (locked(file.path, clock).__aenter__(), 10),
            (restore(file, URL, START), 60),
            (peek(file.path, URL, START), 10),
        ):
            begun = clock.monotonic()
            with pytest.raises(StateFileError, match=f"state': its disk does not respond within {seconds} s"):
                await opening
            assert clock.monotonic() - begun == pytest.approx(seconds)

    run_virtual(scenario())
    assert gc.isenabled()


def test_a_tenant_that_is_omitted_is_logged_once(tmp_path: Path, lines: list[Any]) -> None:
    async def scenario() -> None:
        run = Run(tmp_path / "state")
        for omitted in (["a", "b"], ["a", "b"], ["b"], ["a", "b"]):
            run.file.omitted = omitted
            run.changes += 1
            await run.saver.save()

    run_virtual(scenario())
    assert [line["tenant_id"] for line in lines] == ["a", "b", "a"]
    assert {line["event"] for line in lines} == {"history can't be saved"}


def test_the_last_save_gives_up_if_the_disk_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[Any]
) -> None:
    monkeypatch.setattr(state_saver, "_LAST_SECONDS", 0.05)
    go_on = threading.Event()

    async def scenario() -> None:
        file = StateFile(tmp_path / "state")
        monkeypatch.setattr(file, "write", lambda *_: go_on.wait(10))
        saver = StateSaver(file, None, lambda: Snapshot(URL, [], 1), Telemetry(), Clock())
        await saver.finish()

    asyncio.run(scenario())
    go_on.set()
    assert [(line["event"], line["reason"]) for line in lines] == [("state can't be saved", "not done within 0.05 s")]


# The lock


def test_it_waits_briefly_for_another_exporter_that_is_about_to_end(tmp_path: Path) -> None:
    async def scenario() -> float:
        clock, first = virtual_clock(), StateFile(tmp_path / "state")
        assert first.lock()
        asyncio.get_running_loop().call_later(1.05, first.unlock)
        async with locked(tmp_path / "state", clock):
            assert not first.lock()
            waited = clock.monotonic()
        assert first.lock()
        return waited

    assert run_virtual(scenario()) == pytest.approx(1.1)


def test_it_does_not_wait_for_long(tmp_path: Path) -> None:
    async def scenario() -> float:
        clock, first = virtual_clock(), StateFile(tmp_path / "state")
        assert first.lock()
        with pytest.raises(StateFileError, match=r"another exporter uses '.*/state'; stop it, or give each its own"):
            async with locked(tmp_path / "state", clock):
                pass
        return clock.monotonic()

    assert run_virtual(scenario()) == pytest.approx(3, abs=0.2)


def test_the_lock_is_released_if_something_fails(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(KeyError):
            async with locked(tmp_path / "state", virtual_clock()):
                raise KeyError
        assert StateFile(tmp_path / "state").lock()

    run_virtual(scenario())
