"""Searches every place that others can see for every secret that the exporter has.

Each run has one kind of credentials, a web configuration with a password and a private key, debug logs, and an API
whose errors repeat what they were sent. `test_the_search_finds` shows that the search would find a secret.
"""

from __future__ import annotations

import base64
import json
import re
import resource
import signal
import ssl
import subprocess
import sys
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import bcrypt
import pytest

from exporter.api.transport import HttpTransport, Options
from exporter.assembly import Exporter
from exporter.cli import run_command
from exporter.clock import Clock
from exporter.settings import Settings, load
from exporter.simulator import Fault, Simulator
from exporter.web import load_access_rules
from tests.support.canaries import ENCODINGS, MARK, found
from tests.support.processes import Process, environment, eventually, kimono, needed, running, served
from tests.support.simulated_exporter import SimulatedTransport

USER, PASSWORD = "scraper", f"{MARK}-web/pass+word=é"
PROXY_USER, PROXY_PASSWORD = f"{MARK}-proxy user", f"{MARK}-proxy/pass+word=:@é"
# Nothing listens there.
PROXY_URL = f"http://{quote(PROXY_USER, safe='')}:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:1"


# The search itself


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("secret", [f"{MARK}-key-0123456789abcdef", PASSWORD, f"{MARK}+/=&<>\"'\\ é"])
def test_the_search_finds(secret: str, encoding: str) -> None:
    assert encoding in found([secret], f"level=info msg=x {ENCODINGS[encoding](secret)} y")
    assert found([secret], "level=info msg=x y") == []


@pytest.mark.parametrize("before", ["", "u:", "user:", "id=4:", f"{MARK}-key:"])
def test_the_search_finds_a_secret_in_an_authorization_header(before: str) -> None:
    secret = f"{MARK}-key-0123456789abcdef"
    header = base64.b64encode(f"{before}{secret}".encode()).decode()
    assert [name for name in found([secret], f"Authorization: Basic {header}") if name.startswith("base64")]
    assert found([MARK], f"Authorization: Basic {header}")


# The secrets


@dataclass
class Secrets:
    """What is secret in one run, by name, and the environment that gives the credentials."""

    environ: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


def _file(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content)
    return str(folder / name)


def _entries(hub: Simulator, folder: Path, *, files: bool) -> str:
    entries = []
    for number, tenant in enumerate(hub.tenants()):
        each = tenant.credentials
        entry = {"client_id": each.client_id, "type": each.type, "name": f"tenant {number}"}
        if files:
            entry["client_secret_file"] = _file(folder, f"secret-{number}", each.client_secret)
        else:
            entry["client_secret"] = each.client_secret
        entries.append(entry)
    return json.dumps(entries)


KINDS: dict[str, Callable[[Simulator, Path], dict[str, str]]] = {
    "key": lambda hub, _: {"KEY": hub.api_key},
    "key in a file": lambda hub, folder: {"KEY_FILE": _file(folder, "key", hub.api_key)},
    "client": lambda hub, _: {"CLIENT_ID": hub.client_id, "CLIENT_SECRET": hub.client_secret},
    "client in a file": lambda hub, folder: {
        "CLIENT_ID": hub.client_id,
        "CLIENT_SECRET_FILE": _file(folder, "client", hub.client_secret),
    },
    "token": lambda hub, _: {"TOKEN": hub.token},
    "token in a file": lambda hub, folder: {"TOKEN_FILE": _file(folder, "token", hub.token)},
    "tenants file": lambda hub, folder: {
        "TENANTS_FILE": _file(folder, "tenants", _entries(hub, folder, files=False)),
    },
    "tenants file with files": lambda hub, folder: {
        "TENANTS_FILE": _file(folder, "tenants", _entries(hub, folder, files=True)),
    },
    # A proxy is allowed for https alone. No request gets beyond it.
    "proxy": lambda hub, folder: {
        "KEY": hub.api_key,
        "URL": "https://127.0.0.1:2",
        "PROXY_URL_FILE": _file(folder, "proxy", f"{PROXY_URL}\n"),
    },
}
# Refused replies of all kinds, and replies that repeat a secret where none belongs.
FAULTS = ("unauthorized", "forbidden", "server_error", "html", "not_json", "wrong_json", "throttle", "redirect")


def planted(kind: str, hub: Simulator, folder: Path) -> Secrets:
    variables = {f"KIMONO_API_{name}": value for name, value in KINDS[kind](hub, folder).items()}
    values = {
        "any made-up secret": MARK,
        "API key": hub.api_key,
        "client secret of the account": hub.client_secret,
        "bearer token": hub.token,
        "password of the web page": PASSWORD,
        "its hash": _hash(),
        "user of the proxy": PROXY_USER,
        "password of the proxy": PROXY_PASSWORD,
        "both": f"{PROXY_USER}:{PROXY_PASSWORD}",
        "URL of the proxy": PROXY_URL,
        **{f"secret of tenant {number}": each.credentials.client_secret for number, each in enumerate(hub.tenants())},
        **{f"private key, line {number}": line for number, line in enumerate(_private_key(folder))},
    }
    return Secrets(variables, values)


def _hash() -> str:
    return bcrypt.hashpw(PASSWORD.encode(), b"$2b$04$" + b"abcdefghijklmnopqrstuu").decode()


def _private_key(folder: Path) -> list[str]:
    return [line for line in (folder / "server.key").read_text().splitlines() if "-----" not in line]


def web_config(folder: Path) -> Path:
    names = "subjectAltName=IP:127.0.0.1"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", f"{folder}/server.key", "-out", f"{folder}/server.pem"]
    request = [needed("openssl"), "req", "-x509", "-days", "2", *key, *files, "-subj", "/CN=x", "-addext", names]
    subprocess.run(request, check=True, capture_output=True)
    config = {
        "tls_server_config": {"cert_file": "server.pem", "key_file": "server.key"},
        "basic_auth_users": {USER: _hash()},
    }
    return Path(_file(folder, "web.json", json.dumps(config)))


# The places


@pytest.fixture(scope="module", params=KINDS)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("secrets")
    hub = Simulator(tenants=len(FAULTS) + 2, stories=[])
    web = web_config(folder)
    secrets = planted(request.param, hub, folder)
    with served(hub) as url:
        environ = environment(
            hub,
            url,
            KIMONO_WEB_LISTEN_ADDRESS="127.0.0.1:0",
            KIMONO_WEB_CONFIG_FILE=str(web),
            KIMONO_CONFIG_FILE=_file(folder, "kimono.yaml", "log: {level: debug}\n"),
            KIMONO_STATE_FILE=str(folder / "state"),
            KIMONO_DISCOVERY_INTERVAL="0.5",
            KIMONO_COLLECTORS_STATE_INTERVAL="0.5",
            PYTHONUNBUFFERED="1",
        )
        del environ["KIMONO_API_KEY"]
        environ |= secrets.environ
        with running(kimono("run"), environ, folder / "run") as process:
            yield Seen(secrets, _places(process, hub, folder, is_reached=request.param != "proxy"), environ)


@dataclass
class Seen:
    """What others can see of a run, by place."""

    secrets: Secrets
    places: dict[str, str]
    environ: dict[str, str]


def _places(process: Process, hub: Simulator, folder: Path, *, is_reached: bool) -> dict[str, str]:
    match = eventually(lambda: re.search(r"metrics=(https://\S+)/metrics", process.errors))
    address = match[1]
    if is_reached:
        eventually(lambda: get(f"{address}/-/ready", folder)[0] == 200)
    for fault, tenant in zip(FAULTS, hub.tenants(), strict=False):
        hub.faults.add(Fault(fault, tenant_id=tenant.id))
    hub.override("/tenant/state", {"error": hub.api_key, "data": {hub.client_secret: hub.token}}, hub.tenants()[-1].id)
    eventually(lambda: ("tenant fails" if is_reached else "connection to the proxy failed") in process.errors)
    (folder / "kimono.yaml").write_text(
        f"log: {{level: debug}}\napi: {{{hub.api_key}: {hub.token}, timeout: {hub.token}}}\n"
    )
    process.send(signal.SIGHUP)
    eventually(lambda: "the old ones stay" in process.errors)
    hub.faults.add(Fault("unauthorized"))
    if not (folder / "tenants").exists():  # an entry whose tenant is known does not fail discovery
        eventually(lambda: "discovery fails" in process.errors)
    pages = {
        f"{path}, {who}": "\n".join(map(str, get(address + path, folder, password, accept)))
        for path in ("/metrics", "/", "/-/healthy", "/-/ready", f"/{MARK.lower()}")
        for who, password, accept in (("known", PASSWORD, "*/*"), ("unknown", None, "application/openmetrics-text"))
    }
    status = Path(f"/proc/{process.popen.pid}")
    arguments = (status / "cmdline").read_text()
    threads = "".join((each / "comm").read_text() for each in (status / "task").iterdir())
    process.send(signal.SIGTERM)
    assert process.wait(5) == 0
    return {
        **pages,
        "the log": process.errors,
        "standard output": process.output,
        "process arguments": arguments,
        "names of threads": threads,
        "the state file": (folder / "state").read_text() if is_reached else "none: no tenant is known",
        "names of files": "\n".join(map(str, folder.rglob("*"))),
    }


def get(url: str, folder: Path, password: str | None = PASSWORD, accept: str = "*/*") -> tuple[int, str, str]:
    """Status, headers and body."""
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - loopback
    if password is not None:
        header = base64.b64encode(f"{USER}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {header}")
    context = ssl.create_default_context(cafile=folder / "server.pem")
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as reply:  # noqa: S310 - loopback
            return reply.status, str(reply.headers), reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, str(error.headers), error.read().decode()
    except OSError:
        return 0, "", ""


def assert_none(secrets: Secrets, place: str, text: str) -> None:
    for name, secret in secrets.values.items():
        assert found([secret], text) == [], f"{name} is in {place}"


def test_no_secret_is_in_any_place_of_a_run(seen: Seen) -> None:
    for place, text in seen.places.items():
        assert text or place in ("standard output", "names of threads"), f"nothing to search in {place}"
        assert_none(seen.secrets, place, text)
    if "KIMONO_API_PROXY_URL_FILE" in seen.environ:
        assert "connection to the proxy failed" in seen.places["the log"]
    else:
        assert "kimono_tenant_up" in seen.places["/metrics, known"]
        assert "level=debug" in seen.places["the log"] or "level=warning" in seen.places["the log"]


@pytest.mark.parametrize("command", ["check", "once"])
def test_no_secret_is_in_the_output_of_a_command(
    command: str, seen: Seen, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The simulated API refuses all at this time, so these are errors."""
    environ = {**seen.environ, "KIMONO_CONFIG_FILE": _file(tmp_path, "kimono.yaml", "log: {level: debug}\n")}
    assert run_command([command, "--log.level", "debug"], environ) == 1
    assert_none(seen.secrets, command, "".join(capfd.readouterr()))


def test_no_secret_is_in_a_representation_or_a_traceback(seen: Seen, tmp_path: Path) -> None:
    settings = load({}, {**seen.environ, "KIMONO_CONFIG_FILE": ""})
    rules = load_access_rules(Path(seen.environ["KIMONO_WEB_CONFIG_FILE"]))
    transport = SimulatedTransport(Simulator(tenants=1), Clock())
    exporter = Exporter(settings, transport, Clock())  # type: ignore[arg-type]
    tree = [settings, settings.api, settings.model_dump(), settings.model_dump_json(), rules, rules.passwords]
    tree += [exporter, exporter.client, exporter._source, vars(exporter._source), exporter.poller, transport]
    tree += [settings.egress, Options(1, 1, settings.egress)]
    if settings.api.tenants_file is None:
        tree.append(settings.api.credentials())
    for each in tree:
        assert_none(seen.secrets, repr(type(each)), f"{each!r} {each!s}")
    assert_none(seen.secrets, "a traceback", _traceback(settings, tmp_path))


def _traceback(settings: Settings, tmp_path: Path) -> str:
    """Tracebacks of errors with secrets nearby."""
    texts = []
    unreadable = settings.api.model_copy(update={"key_file": tmp_path})
    proxy, no_proxy = _file(tmp_path, "proxy", PROXY_URL), _file(tmp_path, "no-proxy", f"{PROXY_URL}/{MARK}")
    for call in (
        unreadable.credentials,
        lambda: load({"api.timeout": settings.api.url}, {"KIMONO_API_KEY": f"{PASSWORD}\n"}),
        lambda: load({}, {"KIMONO_API_KEY": "x", "KIMONO_API_PROXY_URL": PROXY_URL}),
        lambda: load({"api.url": "https://x", "api.proxy_url_file": no_proxy}, {"KIMONO_API_KEY": "x"}),
        lambda: load({"api.url": "http://x", "api.proxy_url_file": proxy}, {"KIMONO_API_KEY": "x"}),
        lambda: HttpTransport(None, "x", 1, 1).to(settings.api),  # type: ignore[arg-type]
    ):
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever it raises
            texts += traceback.format_exception(error)
    return "".join(texts)


# Core dumps


def test_no_core_is_dumped_and_one_would_hold_no_memory(tmp_path: Path) -> None:
    """A limit of 0 does not keep the kernel from sending a core to a program, so the filter is empty as well."""
    script = (
        "import os, resource, sys\n"
        "from exporter import process\n"
        f"secret = '{MARK}-' + 'x' * 20\n"
        "if len(sys.argv) > 1: process.prepare(['run'])\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), open('/proc/self/coredump_filter').read(), flush=True)\n"
        "os.abort()\n"
    )
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    printed = {}
    for how in ("unprepared", "prepared"):
        (tmp_path / how).mkdir()
        result = subprocess.run(
            [sys.executable, "-c", script, *(["prepared"] if how == "prepared" else [])],
            env={"PYTHONPATH": str(Path.cwd())},
            cwd=tmp_path / how,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (most, most)),
        )
        assert result.returncode == -signal.SIGABRT
        printed[how] = result.stdout.split()
    assert printed["prepared"] == ["(0,", "0)", "00000000"]
    assert printed["unprepared"][2] != "00000000"
    assert not list((tmp_path / "prepared").iterdir())
    for core in (tmp_path / "unprepared").iterdir():  # if this system writes them there, the search finds the secret
        assert MARK.encode() in core.read_bytes()


def test_the_exporter_forbids_core_dumps_itself(tmp_path: Path) -> None:
    hub = Simulator(tenants=1, stories=[])
    with served(hub) as url:
        environ = environment(hub, url, KIMONO_WEB_LISTEN_ADDRESS="127.0.0.1:0")
        with running(kimono("run"), environ, tmp_path) as process:
            eventually(lambda: "listening" in process.errors)
            proc = Path(f"/proc/{process.popen.pid}")
            assert re.search(r"Max core file size +0 +0 ", (proc / "limits").read_text())
            assert (proc / "coredump_filter").read_text() == "00000000\n"


def test_the_table_is_as_large_as_it_looks(seen: Seen) -> None:
    """Fourteen places and more than twenty secrets for each of nine kinds of credentials."""
    assert len(KINDS) == 9
    assert len(seen.places) >= 14
    assert len(seen.secrets.values) >= 17
