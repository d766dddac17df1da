"""Tests the command `healthcheck`: with any address, with TLS, and with client certificates."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from exporter import healthcheck as module
from exporter.cli import run_command
from exporter.web import AccessRules, create_app, load_access_rules, start
from tests.support.certificates import make_certificate
from tests.support.processes import free_port
from tests.web.serving import HASHED, FakeSource

HEALTHY, SICK = FakeSource(), FakeSource(is_healthy=False)


@contextmanager
def exporter(
    port: int, source: FakeSource = HEALTHY, rules: AccessRules | None = None, host: str | None = None
) -> Iterator[None]:
    """The exporter's pages, served from a thread."""
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def serve() -> None:
        tls = rules.ssl_context if rules else None
        server = await start(create_app(source, lambda: rules), host, port, tls)
        ready.set()
        await stop.wait()
        await server.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def asked(address: str, config_file: Path | None = None) -> int:
    environ = {"KIMONO_WEB_LISTEN_ADDRESS": address}
    if config_file:
        environ["KIMONO_WEB_CONFIG_FILE"] = str(config_file)
    return run_command(["healthcheck"], environ)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path, "exporter.example.org")


def web_config(folder: Path, **tls: str) -> Path:
    files = {"cert_file": "exporter.example.org.pem", "key_file": "exporter.example.org.key"}
    (folder / "web.yaml").write_text(yaml.safe_dump({"tls_server_config": files | tls}))
    return folder / "web.yaml"


@pytest.mark.parametrize("address", ["0.0.0.0:{}", ":{}", "[::]:{}", "127.0.0.1:{}", "localhost:{}"])
def test_it_asks_whatever_the_address_is(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with exporter(port):
        assert asked(address.format(port)) == 0
    out, err = capsys.readouterr()
    host = "localhost" if "localhost" in address else "127.0.0.1"
    assert (out, err) == (f"ok: http://{host}:{port}/-/healthy answers HTTP 200\n", "")


def test_it_finds_an_exporter_that_listens_on_ipv6_alone(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with exporter(port, host="::1"):
        assert asked(f"[::1]:{port}") == 0
        assert asked(f":{port}") == 0
    assert capsys.readouterr().out == f"ok: http://[::1]:{port}/-/healthy answers HTTP 200\n" * 2


def test_an_exporter_that_is_not_healthy_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with exporter(port, SICK):
        assert asked(f":{port}") == 1
    assert capsys.readouterr().out == f"unhealthy: http://127.0.0.1:{port}/-/healthy answers HTTP 503\n"


def test_no_exporter_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert asked(f":{port}") == 1
    assert capsys.readouterr().out == f"unhealthy: can't connect to 127.0.0.1 port {port}: Connection refused\n"


@pytest.mark.parametrize("passwords", [True, False])
@pytest.mark.parametrize(("source", "code"), [(HEALTHY, 0), (SICK, 1)])
def test_tls_of_any_name_and_passwords_are_no_obstacle(
    source: FakeSource,
    code: int,
    passwords: bool,  # noqa: FBT001 - a table
    certificate: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, port = web_config(certificate.parent), free_port()
    if passwords:
        file.write_text(file.read_text() + f"basic_auth_users: {{prometheus: {HASHED}}}\n")
    with exporter(port, source, load_access_rules(file)):
        assert asked(f":{port}", file) == code
    assert f"https://127.0.0.1:{port}/-/healthy answers HTTP {200 if code == 0 else 503}\n" in capsys.readouterr().out


@pytest.mark.parametrize("broken", ["tls_server_config: [", "basic_auth_users: {}\n", None])
@pytest.mark.parametrize("tls", [True, False])
def test_a_file_that_has_changed_since_the_start_does_not_matter(
    broken: str | None,
    tls: bool,  # noqa: FBT001 - a table
    certificate: Path,
) -> None:
    file, port = web_config(certificate.parent), free_port()
    rules = load_access_rules(file) if tls else None
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    with exporter(port, HEALTHY, rules):
        assert asked(f":{port}", file) == 0


@pytest.mark.parametrize("newest", ["TLS12", "TLS13"])
def test_an_exporter_that_wants_a_client_certificate_is_known_to_run(
    newest: str, certificate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": certificate.name}
    file, port = web_config(certificate.parent, max_version=newest, **needed), free_port()
    with exporter(port, SICK, load_access_rules(file)):
        assert asked(f":{port}", file) == 0
    # Above it may be what the server logs.
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"ok: https://127.0.0.1:{port}/-/healthy asks for a client certificate: it runs, no more is known"
    )


@pytest.mark.parametrize(("source", "code"), [(HEALTHY, 0), (SICK, 1)])
@pytest.mark.parametrize("names", [True, False])
def test_without_a_certificate_the_health_is_known_if_none_is_required(
    source: FakeSource,
    code: int,
    names: bool,  # noqa: FBT001 - a table
    certificate: Path,
) -> None:
    optional = {"client_auth_type": "VerifyClientCertIfGiven", "client_ca_file": certificate.name}
    file, port = web_config(certificate.parent, **optional), free_port()
    if names:
        text = yaml.safe_load(file.read_text())
        text["tls_server_config"]["client_allowed_sans"] = ["prometheus.example.org"]
        file.write_text(yaml.safe_dump(text))
    with exporter(port, source, load_access_rules(file)):
        assert asked(f":{port}", file) == code


@contextmanager
def other_program(answer: bytes | None) -> Iterator[int]:
    """Answers each request with these bytes, or never."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    accepted, _ = server.accept()
                except OSError:
                    return
                kept.append(accepted)
                if answer is not None:
                    accepted.recv(1000)
                    accepted.sendall(answer)
                    accepted.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for each in kept:
            each.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", "is not this exporter: another program has the port"),
        (b"SSH-2.0-x\r\n", "gives no HTTP response: BadStatusLine"),
        (b"", "gives no HTTP response: RemoteDisconnected"),
        (None, "no "),
    ],
)
def test_another_program_on_the_port_is_1(
    answer: bytes | None, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.3)
    with other_program(answer) as port:
        assert asked(f"127.0.0.1:{port}") == 1
    out = capsys.readouterr().out
    assert out.startswith("unhealthy: ")
    assert said in out
    assert out.count("\n") == 1


@pytest.mark.parametrize("needs", [True, False])
def test_a_server_that_never_answers_a_handshake_is_1_also_if_a_certificate_is_required(
    needs: bool,  # noqa: FBT001 - a table
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SECONDS", 0.3)
    more = {"client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": certificate.name} if needs else {}
    with other_program(None) as port:
        assert asked(f"127.0.0.1:{port}", web_config(certificate.parent, **more)) == 1


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"KIMONO_WEB_LISTEN_ADDRESS": ":0"},
            "web.listen_address: port 0 takes any free port, so",
        ),
        ({"KIMONO_WEB_LISTEN_ADDRESS": "nonsense"}, "web.listen_address: the value has no port"),
        ({"KIMONO_CONFIG_FILE": "/no/such.yaml"}, "config.file: can't read"),
    ],
)
def test_unusable_settings_are_2(environ: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["healthcheck"], environ) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"kimono-exporter: {said}")
    assert err.count("\n") == 1


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    port = free_port()
    with exporter(port):
        assert asked(f":{port}") == 0


def test_the_certificate_is_not_checked_and_that_is_of_this_command_alone() -> None:
    assert module._unverified().verify_mode == ssl.CERT_NONE
    assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
