"""Tests that a file on a file system that hangs delays nothing else."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exporter import files, serve
from exporter.api.errors import AuthError, RequestTimeoutError
from exporter.assembly import _tenant_entries, account_credentials
from exporter.cli import run_command
from exporter.settings import SettingsError, load
from exporter.simulator import Simulator
from exporter.web import Verifier
from tests.support.hanging_files import kimono_with_hanging_pipes, let_pipes_hang
from tests.support.processes import answers, environment, eventually, get, running, served
from tests.support.simulated_exporter import Page, running_exporter
from tests.support.virtual_time import run_virtual

MARK = "S3CR3T"
GOOD = {
    "api.key_file": MARK,
    "api.token_file": MARK,
    "api.client_secret_file": MARK,
    "api.tenants_file": f"- {{client_id: a, client_secret: {MARK}}}\n",
    "config.file": "api: {}\n",
    "web.config_file": "http_server_config: {}\n",
}


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(files, "READ_SECONDS", 0.05)
    let_pipes_hang(monkeypatch)
    path = tmp_path / "hangs"
    os.mkfifo(path)
    yield path
    release(path)


def release(path: Path) -> None:
    """Let all threads that wait for the pipe end."""
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR))


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("setting", [*GOOD, "client_secret_file of a tenant"])
def test_the_start_says_which_file_hangs(
    setting: str, hanging: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {setting: str(hanging)}
    if setting == "client_secret_file of a tenant":
        (tmp_path / "tenants").write_text(f"- {{client_id: a, client_secret_file: {hanging}}}\n" * 1000)
        setting, flags = "api.tenants_file", {"api.tenants_file": str(tmp_path / "tenants")}
    environ = {"KIMONO_API_KEY": MARK} if setting in ("config.file", "web.config_file") else {}
    if setting == "api.client_secret_file":
        environ["KIMONO_API_CLIENT_ID"] = "a"
    assert run_command(["run", *(f"--{name}={value}" for name, value in flags.items())], environ) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"kimono-exporter: {setting}: can't read '{hanging}': it did not respond within 0.05 s; ")
    assert err.count("\n") == 1


def test_credentials_that_hang_are_a_timeout(hanging: Path, tmp_path: Path) -> None:
    key, tenants = tmp_path / "key", tmp_path / "tenants"
    key.write_text(MARK)
    settings = load({"api.key_file": str(key)}, {})
    replace_by_pipe(key)
    tenants.write_text(f"- {{client_id: a, client_secret_file: {hanging}}}\n")
    for call in (lambda: account_credentials(settings.api), lambda: _tenant_entries(tenants)):
        with pytest.raises(RequestTimeoutError, match="did not respond within"):
            call()
    release(key)


@pytest.mark.parametrize("setting", ["api.key_file", "api.tenants_file"])
def test_discovery_fails_with_timeout_and_recovers(setting: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        hub = Simulator(tenants=3, stories=[])
        file = tmp_path / "file"
        actors = [tenant.credentials for tenant in hub.tenants()]
        entries = [
            f"- {{client_id: {a.client_id}, client_secret: {a.client_secret}, type: {a.type}}}\n" for a in actors
        ]
        content = hub.api_key if setting == "api.key_file" else "".join(entries)
        file.write_text(content)
        async with running_exporter({setting: str(file)}, hub=hub, environ={}) as run:
            assert (await run.until_ready()).value("kimono_tenants") == 3
            replace_by_pipe(file)
            page = await run.pass_time(301)
            assert run.exporter.status().discovery.reason == "timeout"
            assert (page.value("kimono_up"), page.value("kimono_tenants")) == (0, 3)
            assert set(page.all("kimono_tenant_up").values()) == {1}
            pipe = file.rename(tmp_path / "pipe")
            release(pipe)
            file.write_text(content)
            assert (await run.pass_time(301)).value("kimono_up") == 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "READ_SECONDS", 0.05)
        let_pipes_hang(patch)
        run_virtual(scenario())


@pytest.mark.parametrize("setting", ["api.key_file", "config.file", "web.config_file"])
def test_a_pipe_in_place_of_a_file_is_refused_at_once(
    setting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "READ_SECONDS", 0.5)
    os.mkfifo(tmp_path / "pipe")
    environ = {} if setting == "api.key_file" else {"KIMONO_API_KEY": MARK}
    assert run_command(["check", f"--{setting}={tmp_path / 'pipe'}"], environ) == 2
    assert f"{setting}: can't read '{tmp_path / 'pipe'}': it is not a regular file" in capsys.readouterr().err


def test_a_key_file_that_was_a_pipe_for_a_while_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "READ_SECONDS", 0.5)
    key = tmp_path / "key"
    key.write_text(MARK)
    settings = load({"api.key_file": str(key)}, {})
    replace_by_pipe(key)
    with pytest.raises(AuthError, match="it is not a regular file"):
        account_credentials(settings.api)
    key.unlink()
    key.write_text(MARK)
    account_credentials(settings.api)


def test_pages_go_on_while_every_file_hangs_and_sigterm_ends_it(tmp_path: Path) -> None:
    hub = Simulator(tenants=3, stories=[])
    key, config, web = tmp_path / "key", tmp_path / "kimono.yaml", tmp_path / "web.yaml"
    key.write_text(hub.api_key)
    config.write_text("discovery: {interval: 0.2}\ncollectors: {account: {enabled: true, interval: 0.2}}\n")
    web.write_text("http_server_config: {}\n")
    with served(hub) as url:
        environ = environment(
            hub,
            url,
            KIMONO_API_KEY_FILE=str(key),
            KIMONO_CONFIG_FILE=str(config),
            KIMONO_WEB_CONFIG_FILE=str(web),
            KIMONO_WEB_LISTEN_ADDRESS="127.0.0.1:0",
        )
        del environ["KIMONO_API_KEY"]
        with running(kimono_with_hanging_pipes("run"), environ, tmp_path / "run") as process:
            match = eventually(lambda: re.search(r"metrics=(\S+)/metrics", process.errors))
            eventually(lambda: answers(f"{match[1]}/-/ready"))
            for path in (key, config, web):
                replace_by_pipe(path)
            process.send(signal.SIGHUP)
            eventually(lambda: "discovery fails" in process.errors)
            assert f"reason=timeout detail=\"can't read '{key}': it did not respond within 5 s\"" in process.errors
            eventually(lambda: "the old ones stay" in process.errors)
            page = Page(get(f"{match[1]}/metrics"))
            assert (page.value("kimono_up"), page.value("kimono_tenants")) == (0, 3)
            assert (page.value("kimono_exporter_event_loop_lag_seconds") or 0) < 2
            assert get(f"{match[1]}/-/healthy") == "ok\n"
            process.send(signal.SIGHUP)
            process.send(signal.SIGTERM)
            assert process.wait(5) == 0
            assert "Traceback" not in process.errors


def test_a_hanging_disk_at_the_start_does_not_delay_sigterm(tmp_path: Path) -> None:
    """Before the settings are loaded, the default action ends the process; a certificate is read after that."""
    (tmp_path / "cert").write_text("x")
    os.mkfifo(tmp_path / "key")
    (tmp_path / "web.yaml").write_text("tls_server_config: {cert_file: cert, key_file: key}\n")
    for flag, name in (("--api.key_file", "key"), ("--web.config_file", "web.yaml")):
        command = kimono_with_hanging_pipes("run", flag, str(tmp_path / name), "--web.listen_address", "127.0.0.1:0")
        environ = {"KIMONO_API_KEY": MARK} if name == "web.yaml" else {}
        with running(command, environ, tmp_path / f"run-{name}") as process:
            eventually(lambda opened=process.popen.pid: len(list(Path(f"/proc/{opened}/task").iterdir())) > 1)
            process.send(signal.SIGTERM)
            assert process.wait(5) == 0
            assert process.errors == ""


def test_rules_that_hang_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL reads certificates itself, without any limit."""
    hang = threading.Event()
    monkeypatch.setattr(serve, "load_access_rules", lambda *_: hang.wait(60))
    monkeypatch.setattr(serve, "_RULES_SECONDS", 0.05)
    web = tmp_path / "web.yaml"
    settings = load({"web.config_file": str(web)}, {"KIMONO_API_KEY": MARK})
    with pytest.raises(serve.UnusableError, match="or a file that it names, did not respond within"):
        serve.access_rules(settings)
    hang.set()


def test_new_settings_that_hang_are_given_up() -> None:
    hang = threading.Event()
    said: list[str] = []

    def load_again() -> None:
        hang.wait(60)
        raise SettingsError(())

    async def scenario() -> None:
        server = serve._Server(object(), load({}, {"KIMONO_API_KEY": MARK}), None, Verifier())  # type: ignore[arg-type]
        await server._reload(load_again)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "_RELOAD_SECONDS", 0.05)
        patch.setattr(serve, "_log_unusable", said.append)
        asyncio.run(scenario())
    hang.set()
    assert said == ["reading them takes more than 0.05 s"]
