"""Tests that checks of passwords are bounded, take turns, and are not repeated."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import bcrypt
import pytest

from exporter.web import Verifier, limits, verifier
from exporter.web.passwords import Passwords
from exporter.web.verifier import BusyError
from tests.support.virtual_time import run_virtual
from tests.web.serving import HASHED, PASSWORD

ANOTHER = bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()
RIGHT = PASSWORD.encode()


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The passwords that bcrypt was asked about."""
    asked: list[bytes] = []
    original = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        asked.append(password)
        return original(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return asked


class SlowChecks:
    """Checks that take `seconds` of the event loop's time each, in the place of threads."""

    def __init__(self) -> None:
        self.seconds = 0.06  # cost 10
        self.done: list[bytes] = []
        self.running = self.most = 0

    async def run(self, _matches: object, password: bytes, _hashed: bytes) -> bool:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.seconds)
        self.running -= 1
        self.done.append(password)
        return password == RIGHT


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowChecks:
    checks = SlowChecks()
    monkeypatch.setattr(asyncio, "to_thread", checks.run)
    return checks


def wrong() -> Iterator[bytes]:
    return (f"wrong {number}".encode() for number in range(1_000_000))


async def flood(door: Passwords, count: int, client: str) -> list[asyncio.Task[bool]]:
    """Begin to check so many wrong passwords."""
    guesses = wrong()
    tasks = [asyncio.create_task(door.accepts("prometheus", next(guesses), client)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


def now() -> float:
    return asyncio.get_running_loop().time()


async def ended(tasks: list[asyncio.Task[bool]]) -> list[bool | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.usefixtures("slow")
def test_a_known_scraper_does_not_wait_for_the_checks_of_others_also_after_a_reload() -> None:
    async def scenario() -> None:
        checks = Verifier()
        door = Passwords({"prometheus": HASHED}, checks)
        assert await door.accepts("prometheus", RIGHT, "a")
        tasks = await flood(door, 300, "a")
        before = now()
        assert await door.accepts("prometheus", RIGHT, "a")
        reloaded = Passwords({"prometheus": HASHED, "new": ANOTHER}, checks)
        assert await reloaded.accepts("prometheus", RIGHT, "a")
        assert now() == before
        assert True not in await ended(tasks)

    run_virtual(scenario())


def test_a_user_whose_hash_has_changed_is_checked_again() -> None:
    async def scenario() -> None:
        checks = Verifier()
        assert await Passwords({"prometheus": HASHED}, checks).accepts("prometheus", RIGHT, "a")
        assert not await Passwords({"prometheus": ANOTHER}, checks).accepts("prometheus", RIGHT, "a")
        assert await Passwords({"prometheus": ANOTHER}, checks).accepts("prometheus", b"another", "a")
        assert not await Passwords({"other": HASHED}, checks).accepts("prometheus", RIGHT, "a")
        assert await Passwords({"prometheus": HASHED}, checks).accepts("prometheus", RIGHT, "a")

    asyncio.run(scenario())


def test_a_new_scraper_waits_for_one_check_of_each_other_client(slow: SlowChecks) -> None:
    async def scenario() -> None:
        door = Passwords({"prometheus": HASHED}, Verifier())
        tasks = [*await flood(door, 300, "a"), *await flood(door, 300, "b")]
        begun = now()
        assert await door.accepts("prometheus", RIGHT, "prometheus")
        assert now() - begun <= 4 * slow.seconds + 0.001
        await ended(tasks)
        assert slow.most == 1, "one check at a time"

    run_virtual(scenario())


def test_a_password_that_can_not_be_checked_in_time_is_refused(slow: SlowChecks) -> None:
    slow.seconds = 1.0  # a slow machine

    async def scenario() -> None:
        door = Passwords({"prometheus": HASHED}, Verifier())
        tasks = await flood(door, 300, "a")
        results = await ended(tasks)
        assert now() <= limits.PASSWORD_SECONDS + slow.seconds
        assert sum(result is False for result in results) == len(slow.done) <= limits.PASSWORD_SECONDS + 1
        assert sum(isinstance(result, BusyError) for result in results) == 300 - len(slow.done)
        assert await door.accepts("prometheus", RIGHT, "a"), "the queue is empty again"

    run_virtual(scenario())


def test_a_client_that_goes_away_is_not_waited_for(slow: SlowChecks) -> None:
    async def scenario() -> None:
        door = Passwords({"prometheus": HASHED}, Verifier())
        tasks = await flood(door, 300, "a")
        for task in tasks:
            task.cancel()
        begun = now()
        assert await door.accepts("prometheus", RIGHT, "a")
        assert now() - begun <= 2 * slow.seconds + 0.001, "the check that has begun is waited for"
        assert slow.most == 1
        await ended(tasks)

    run_virtual(scenario())


def test_at_the_end_of_the_process_no_more_checks_begin(slow: SlowChecks) -> None:
    async def scenario() -> None:
        checks = Verifier()
        door = Passwords({"prometheus": HASHED}, checks)
        assert await door.accepts("prometheus", RIGHT, "a")
        tasks = await flood(door, 10, "a")
        checks.close()
        with pytest.raises(BusyError):
            await door.accepts("prometheus", b"late", "a")
        assert await door.accepts("prometheus", RIGHT, "a"), "known scrapers are served until the end"
        await ended(tasks)
        assert slow.done == [RIGHT, b"wrong 0"]

    run_virtual(scenario())


def test_each_password_is_checked_once_whether_right_or_wrong(checked: list[bytes]) -> None:
    async def scenario() -> None:
        door = Passwords({"prometheus": HASHED}, Verifier())
        several = await asyncio.gather(*(door.accepts("prometheus", RIGHT, "a") for _ in range(5)))
        assert several == [True] * 5
        assert checked == [RIGHT]
        for _ in range(3):
            assert not await door.accepts("prometheus", b"wrong", "a")
            assert not await door.accepts("nobody", b"wrong", "a")
            assert not await door.accepts("nobody else", b"wrong", "a")
        assert checked == [RIGHT, b"wrong", b"wrong", b"wrong"]

    asyncio.run(scenario())


def test_unknown_users_are_cached_over_a_reload_like_known_ones(checked: list[bytes]) -> None:
    async def scenario() -> None:
        checks = Verifier()
        for _ in range(2):
            door = Passwords({"prometheus": HASHED}, checks)
            assert not await door.accepts("prometheus", b"wrong", "a")
            assert not await door.accepts("nobody", b"wrong", "a")
        assert len(checked) == 2

    asyncio.run(scenario())


def test_the_cache_is_bounded_and_wrong_passwords_do_not_displace_right_ones(
    monkeypatch: pytest.MonkeyPatch, checked: list[bytes]
) -> None:
    monkeypatch.setattr(verifier, "CACHE_SIZE", 3)

    async def scenario() -> None:
        checks = Verifier()
        door = Passwords(dict.fromkeys("abcdef", HASHED), checks)
        guesses = wrong()
        assert await door.accepts("a", RIGHT, "a")
        for _ in range(10):
            assert not await door.accepts("a", next(guesses), "a")
        count = len(checked)
        assert await door.accepts("a", RIGHT, "a")
        assert len(checked) == count
        for name in "bcdef":
            assert await door.accepts(name, RIGHT, "a")
        assert [len(known) for known in checks._results.values()] == [3, 3]
        assert PASSWORD not in repr(vars(checks))

    asyncio.run(scenario())


def test_a_check_does_not_block_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def checkpw(_password: bytes, _hashed: bytes) -> bool:
        threads.append(threading.current_thread())
        return True

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    assert asyncio.run(Passwords({"prometheus": HASHED}, Verifier()).accepts("prometheus", b"x", "a"))
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
