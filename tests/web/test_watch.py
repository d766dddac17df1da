"""Tests that changed files are used without a signal, and that broken ones change nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from exporter.web import AccessRules, Verifier, limits, load_access_rules, pem, watch_files
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


def add_user(path: Path, _: MakeCertificate) -> None:
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
