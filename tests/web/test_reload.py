"""Tests what a reload of the settings does to the pages: known scrapers stay known, broken files change nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import bcrypt
import pytest
import structlog

from exporter import serve
from exporter.assembly import Exporter
from exporter.settings import Settings, load
from exporter.web import Verifier
from tests.support.virtual_time import run_virtual, virtual_clock
from tests.web.conftest import MakeCertificate
from tests.web.serving import HASHED, PASSWORD, FakeSource
from tests.web.test_passwords import basic
from tests.web.test_tls import ready, trusting

ANOTHER = bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"


@pytest.fixture(autouse=True)
def logs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "begin_log", lambda _settings: None)


class Served:
    """The pages of a fake exporter with the web configuration in `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        source = FakeSource()
        fake = SimpleNamespace(
            apply=lambda _settings: None,
            clock=virtual_clock(),
            sections=source.sections,
            entries=source.entries,
            overview=source.overview,
            details=source.details,
            healthy=source.healthy,
            ready=source.ready,
        )
        verifier = Verifier()
        rules = serve.access_rules(self.settings(), verifier)
        self.server = serve._Server(cast(Exporter, fake), self.settings(), rules, verifier)

    def settings(self) -> Settings:
        given = {"KIMONO_API_KEY": "S3CR3T", "KIMONO_WEB_CONFIG_FILE": str(self.path)}
        return load([], {**given, "KIMONO_WEB_LISTEN_ADDRESS": "127.0.0.1:0"})

    async def reload(self) -> None:
        await self.server._reload(self.settings)


async def scrape(address: str, password: str = PASSWORD) -> int:
    headers = basic("prometheus", password)
    async with aiohttp.ClientSession() as client, client.get(f"{address}/metrics", headers=headers) as response:
        return response.status


def test_a_scraper_whose_hash_is_unchanged_stays_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    original = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        asked.append(password)
        return original(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{prometheus: {HASHED}}}")

    async def scenario() -> None:
        served = Served(path)
        running = await served.server.start()
        (address,) = running.addresses
        assert await scrape(address) == 200
        path.write_text(f"basic_auth_users: {{prometheus: {HASHED}, other: {ANOTHER}}}")
        await served.reload()
        assert await scrape(address) == 200
        assert len(asked) == 1
        path.write_text(f"basic_auth_users: {{prometheus: {ANOTHER}}}")
        await served.reload()
        assert await scrape(address) == 401
        assert await scrape(address, "another") == 200
        assert len(asked) == 3
        await running.stop()

    run_virtual(scenario())


@pytest.mark.parametrize("signal", [True, False], ids=["at a signal", "by itself"])
def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(
    tmp_path: Path, make_certificate: MakeCertificate, *, signal: bool
) -> None:
    make_certificate("server")
    path = tmp_path / "web.yml"
    path.write_text(TLS)
    before = trusting(tmp_path, "server")

    async def scenario() -> None:
        served = Served(path)
        running = await served.server.start()
        (address,) = running.addresses
        watching = asyncio.create_task(served.server.watch_files())

        async def take_effect() -> None:
            await (served.reload() if signal else asyncio.sleep(60))

        assert await ready(address, before) == 200
        await asyncio.to_thread((tmp_path / "server.pem").write_text, "broken")
        await take_effect()
        assert await ready(address, before) == 200
        make_certificate("server")
        await take_effect()
        assert await ready(address, trusting(tmp_path, "server")) == 200
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await ready(address, before)
        watching.cancel()
        await running.stop()

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    refused, used = ("new settings can't be used, the old ones stay", "settings reloaded")
    if not signal:
        refused, used = ("new web configuration can't be used, the old one stays", "web configuration reloaded")
    assert [entry["event"] for entry in logs if entry["log_level"] != "debug"] == [refused, used]
