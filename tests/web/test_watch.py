"""Tests that changed files are used without a signal, and that broken ones change nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from exporter import files
from exporter.web import AccessRules, Verifier, limits, load_access_rules, pem, tls, watch, watch_files
from tests.support.virtual_time import run_virtual, virtual_clock
from tests.web.conftest import MakeCertificate
from tests.web.serving import HASHED

# A change is used once it is seen twice.
SOON = 3 * limits.WATCH_SECONDS
USED = "web configuration reloaded"
REFUSED = "new web configuration can't be used, the old one stays"
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"


class Watched:
    """Access rules in a file that is watched. `used` has all that replaced the first ones."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rules: AccessRules | None = load_access_rules(path)
        self.used: list[AccessRules] = []

    def use(self, rules: AccessRules) -> None:
        self.used.append(rules)
        self.rules = rules


@asynccontextmanager
async def watching(path: Path) -> AsyncIterator[Watched]:
    watched = Watched(path)
    task = asyncio.create_task(watch_files(lambda: watched.rules, watched.use, Verifier(), virtual_clock()))
    try:
        yield watched
        await asyncio.sleep(0)
        assert not task.done()
    finally:
        task.cancel()


@pytest.fixture
def path(tmp_path: Path, make_certificate: MakeCertificate) -> Path:
    make_certificate("server")
    (tmp_path / "web.yml").write_text(TLS)
    return tmp_path / "web.yml"


def test_files_that_stay_the_same_are_not_loaded_again(path: Path) -> None:
    async def scenario() -> None:
        async with watching(path) as watched:
            await asyncio.sleep(3600)
            assert watched.used == []

    run_virtual(scenario())


def test_files_that_are_replaced_while_they_are_read_are_used_once(
    path: Path, make_certificate: MakeCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(9))

    def load(*_: object) -> AccessRules:
        rules = load_access_rules(path)
        if next(times) == 0:
            make_certificate("server")
        return rules

    monkeypatch.setattr(watch, "load_access_rules", load)

    async def scenario() -> None:
        async with watching(path) as watched:
            make_certificate("server")
            await asyncio.sleep(2 * SOON)
            assert len(watched.used) == 1

    run_virtual(scenario())


def renew(_: Path, make_certificate: MakeCertificate) -> None:
    make_certificate("server")


def rename(path: Path, make_certificate: MakeCertificate) -> None:
    make_certificate("renewed")
    for suffix in (".pem", ".key"):
        (path.parent / f"renewed{suffix}").replace(path.parent / f"server{suffix}")


def relink(path: Path, make_certificate: MakeCertificate) -> None:
    """As Kubernetes updates a mounted secret."""
    make_certificate("renewed")
    for suffix in (".pem", ".key"):
        (path.parent / f"server{suffix}").unlink()
        (path.parent / f"server{suffix}").symlink_to(f"renewed{suffix}")


def add_user(path: Path, _: MakeCertificate | None) -> None:
    path.write_text(f"{TLS}basic_auth_users: {{a: {HASHED}}}\n")


@pytest.mark.parametrize("change", [renew, rename, relink, add_user])
def test_changed_files_are_used_soon(
    path: Path, make_certificate: MakeCertificate, change: Callable[[Path, MakeCertificate], None]
) -> None:
    async def scenario() -> None:
        async with watching(path) as watched:
            await asyncio.sleep(100)
            change(path, make_certificate)
            await asyncio.sleep(SOON)
            assert watched.used == [watched.rules]
            await asyncio.sleep(3600)
            assert len(watched.used) == 1

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    assert [(entry["event"], entry["file"]) for entry in logs] == [(USED, str(path))]


def break_certificate(path: Path) -> None:
    (path.parent / "server.pem").write_text("no certificate")


def remove_key(path: Path) -> None:
    (path.parent / "server.key").unlink()


def break_yaml(path: Path) -> None:
    path.write_text("basic_auth_users: " + "[" * 500)


def remove_file(path: Path) -> None:
    path.unlink()


def be_binary(path: Path) -> None:
    path.write_bytes(b"\xff\0" * 100)


def fix(path: Path, make_certificate: MakeCertificate) -> None:
    make_certificate("server")
    path.write_text(TLS)


@pytest.mark.parametrize("damage", [break_certificate, remove_key, break_yaml, remove_file, be_binary])
def test_broken_files_are_one_message_and_the_old_rules_stay_until_they_are_fixed(
    path: Path, make_certificate: MakeCertificate, damage: Callable[[Path], None]
) -> None:
    async def scenario() -> None:
        async with watching(path) as watched:
            damage(path)
            await asyncio.sleep(3600)
            assert watched.used == []
            fix(path, make_certificate)
            await asyncio.sleep(SOON)
            assert watched.used == [watched.rules]

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    assert [entry["event"] for entry in logs] == [REFUSED, USED]


def test_a_certificate_and_its_key_may_be_replaced_one_after_the_other(
    path: Path, make_certificate: MakeCertificate
) -> None:
    async def scenario() -> None:
        make_certificate("renewed")
        async with watching(path) as watched:
            await asyncio.sleep(1.5 * limits.WATCH_SECONDS)
            (path.parent / "renewed.pem").replace(path.parent / "server.pem")
            await asyncio.sleep(limits.WATCH_SECONDS)
            (path.parent / "renewed.key").replace(path.parent / "server.key")
            await asyncio.sleep(SOON)
            assert watched.used == [watched.rules]

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    assert [entry["event"] for entry in logs] == [USED]


def test_rules_that_were_replaced_by_a_signal_are_not_replaced_by_older_ones(
    path: Path, make_certificate: MakeCertificate
) -> None:
    async def scenario() -> None:
        async with watching(path) as watched:
            await asyncio.sleep(1)
            make_certificate("server")
            by_signal = watched.rules = load_access_rules(path)
            await asyncio.sleep(SOON)
            assert watched.used == []
            assert watched.rules is by_signal
            watched.rules = None
            make_certificate("server")
            await asyncio.sleep(SOON)
            assert watched.used == []

    run_virtual(scenario())


def test_a_change_while_the_files_are_read_is_not_missed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = pem.read_bytes

    def read_bytes(file: Path) -> bytes:
        content = original(file)
        if file.name == "server.pem":
            os.utime(file, (1, 1))
        return content

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(pem, "read_bytes", read_bytes)
            watched = Watched(path)
        task = asyncio.create_task(watch_files(lambda: watched.rules, watched.use, Verifier(), virtual_clock()))
        await asyncio.sleep(SOON)
        assert len(watched.used) == 1
        task.cancel()

    run_virtual(scenario())


class Hang:
    """A disk that hangs: calls for the file of this name wait until it is over."""

    def __init__(self, call: Callable[..., object], name: str) -> None:
        self._call = call
        self._name = name
        self._over = threading.Event()
        self.waiting = 0

    def __call__(self, path: Path, *more: object) -> object:
        if path.name == self._name and not self._over.is_set():
            self.waiting += 1
            assert self._over.wait(60)
        return self._call(path, *more)

    def end(self) -> None:
        self._over.set()


@pytest.mark.parametrize(
    ("module", "function", "name"),
    [
        (watch, "stamp_of", "web.yml"),
        (watch, "stamp_of", "server.key"),
        (watch, "load_access_rules", "web.yml"),
        (files, "_read_regular", "web.yml"),
        (files, "_read_regular", "server.pem"),
        (tls.PemSetting, "as_file", "server.pem"),
    ],
)
def test_a_disk_that_hangs_is_one_message_and_one_thread_and_the_watch_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, module: object, function: str, name: str
) -> None:
    for owner, limit in ((watch, "STAMP_SECONDS"), (watch, "RULES_SECONDS"), (files, "READ_SECONDS")):
        # Reading one file is given up before loading all.
        monkeypatch.setattr(owner, limit, 0.01 if owner is files else 0.03)
    original = getattr(module, function)
    if function == "as_file":
        hang = Hang(lambda _, setting: original(setting), name)
        monkeypatch.setattr(module, function, lambda setting: hang(setting.path, setting))
    else:
        hang = Hang(original, name)
        monkeypatch.setattr(module, function, hang)

    async def scenario() -> None:
        hang.end()
        async with watching(path) as watched:
            hang._over.clear()
            add_user(path, None)
            await asyncio.sleep(30 * limits.WATCH_SECONDS)
            assert watched.used == []
            assert hang.waiting == 1
            hang.end()
            await asyncio.sleep(2 * SOON)
            assert watched.used == [watched.rules]
            assert watched.used[0].passwords is not None

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    assert [entry["event"] for entry in logs] == [REFUSED, USED]


def test_rules_of_another_file_are_watched_while_a_disk_hangs(
    path: Path, make_certificate: MakeCertificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STAMP_SECONDS", 0.01)
    hang = Hang(watch.stamp_of, "web.yml")
    monkeypatch.setattr(watch, "stamp_of", hang)

    async def scenario() -> None:
        async with watching(path) as watched:
            await asyncio.sleep(SOON)
            (path.parent / "other.yml").write_text(TLS)
            watched.rules = load_access_rules(path.parent / "other.yml")
            await asyncio.sleep(SOON)
            make_certificate("server")
            await asyncio.sleep(SOON)
            assert watched.used == [watched.rules]
        hang.end()

    run_virtual(scenario())


def test_a_file_that_becomes_readable_is_used_although_it_has_not_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mode, or that of its folder, does not change its stamp."""
    refused = True
    original = files._read_regular

    def read(file: Path) -> bytes:
        if refused and file == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return original(file)

    async def scenario() -> None:
        nonlocal refused
        async with watching(path) as watched:
            monkeypatch.setattr(files, "_read_regular", read)
            add_user(path, None)
            await asyncio.sleep(3600)
            assert watched.used == []
            refused = False
            await asyncio.sleep(SOON)
            assert watched.used == [watched.rules]

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    assert [entry["event"] for entry in logs] == [REFUSED, USED]
