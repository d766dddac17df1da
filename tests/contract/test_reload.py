"""Tests that no file, broken in whatever way, ends a running exporter: it keeps its settings, and one line says why."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter import serve
from exporter.settings import Settings, load
from exporter.simulator import Simulator
from exporter.web import AccessRules, Verifier
from tests.support.processes import Process, answers, environment, eventually, get, kimono, running, served
from tests.support.simulated_exporter import Page

MARK = "S3CR3T"

PAIRS = tuple(itertools.pairwise(b"abcdefgh"))
BROKEN: dict[str, bytes | Callable[[Path], object]] = {
    "deep lists": b"basic_auth_users: " + b"[" * 500,
    "deep mappings": b"{a: " * 5000,
    "deep blocks": b"- " * 30_000,
    "an alias bomb": b"a: &a [x, x, x, x, x, x, x, x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (after, after, b",".join([b"*%c" % each] * 8)) for each, after in PAIRS),
    "a mapping in itself": b"&a\n<<: *a\n? *a\n: *a\n",
    "a list in itself": b"&a [*a]",
    "duplicate keys": b"api: {}\napi: {}\n",
    "a tag of Python": b"!!python/object/apply:os.system ['exit 1']",
    "an unknown tag": b"!S3CR3T x",
    "a tag that does not fit": b"api: !!timestamp S3CR3T\n",
    "a NUL byte": b"api: \0S3CR3T\n",
    "control characters": b"api: \x07\x1b[2JS3CR3T\n",
    "UTF-16": "api: {S3CR3T: 1}\n".encode("utf-16"),
    "Latin-1": "api: {Gymnasium Zürich: S3CR3T}\n".encode("latin-1"),
    "bytes": bytes(range(256)),
    "two documents": b"--- {}\n--- {}\n",
    "an open quote": b'api: "S3CR3T\n',
    "a tab": b"api:\n\tkey: S3CR3T\n",
    "an unknown alias": b"api: *S3CR3T\n",
    "only text": b"S3CR3T",
    "a number": b"1" * 5000,
    "a huge file": lambda path: os.truncate(path, 2**40),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path)),
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to("S3CR3T")),
    "no file": lambda path: path.unlink(),
    "no permission": lambda path: path.chmod(0),
}
SETTINGS = ("config.file", "api.tenants_file", "web.config_file")


class Run:
    """A running exporter with a good file for each setting."""

    def __init__(self, process: Process, folder: Path, contents: dict[str, bytes]) -> None:
        self.process = process
        self.folder = folder
        self.contents = contents
        match = eventually(lambda: re.search(r"metrics=(\S+)/metrics", process.errors))
        self.address = match[1]
        eventually(lambda: answers(f"{self.address}/-/ready"))

    def path(self, setting: str) -> Path:
        return self.folder / setting

    def restore(self, setting: str) -> None:
        path = self.path(setting)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(self.contents[setting])

    def reload(self) -> list[str]:
        """Reload; returns what is logged about it."""
        before = len(self.process.errors)
        self.process.send(signal.SIGHUP)
        done = re.compile(r"(?:the old ones stay|settings reloaded).*\n")
        eventually(lambda: done.search(self.process.errors[before:]))
        return [line for line in self.process.errors[before:].splitlines() if done.search(f"{line}\n")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("reload")
    hub = Simulator(tenants=2, stories=[])
    actors = (tenant.credentials for tenant in hub.tenants())
    entry = "- {{client_id: {0.client_id}, client_secret: {0.client_secret}, type: {0.type}}}\n"
    contents = {
        "config.file": b"discovery: {interval: 1h}\n",
        "api.tenants_file": "".join(map(entry.format, actors)).encode(),
        "web.config_file": b"http_server_config: {}\n",
    }
    flags = []
    for setting, content in contents.items():
        (folder / setting).write_bytes(content)
        flags += [f"--{setting}", str(folder / setting)]
    with served(hub) as url:
        environ = environment(hub, url, KIMONO_WEB_LISTEN_ADDRESS="127.0.0.1:0")
        del environ["KIMONO_API_KEY"]
        with running(kimono("run", *flags), environ, folder / "run") as process:
            yield Run(process, folder, contents)
            assert MARK not in process.errors.replace(hub.api_key, "")
            assert "Traceback" not in process.errors
            assert "internal error" not in process.errors


@pytest.mark.parametrize("how", BROKEN)
def test_the_old_settings_stay_and_one_line_says_why(how: str, run: Run) -> None:
    broken = BROKEN[how]
    for setting in SETTINGS:
        if how == "no permission" and os.geteuid() == 0:
            continue  # root may read all
        path = run.path(setting)
        if callable(broken):
            broken(path)
        else:
            path.write_bytes(broken)
        (line,) = run.reload()
        assert f'problem="{setting}: ' in line
        assert "the old ones stay" in line
        run.restore(setting)
    assert Page(get(f"{run.address}/metrics")).value("kimono_tenants") == 2
    (line,) = run.reload()
    assert "settings reloaded" in line
    assert run.process.popen.poll() is None


def test_a_tenants_file_with_many_problems_is_a_few_lines(run: Run) -> None:
    run.path("api.tenants_file").write_bytes(b"- {}\n" * 500)
    lines = run.reload()
    assert len(lines) == 11
    assert "more_problems=490" in lines[-1]
    run.restore("api.tenants_file")
    run.reload()


@pytest.mark.parametrize(
    "error", [KeyError(MARK), RecursionError(), MemoryError(), UnicodeError(), AssertionError(MARK)]
)
def test_an_internal_error_at_a_reload_changes_nothing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(serve, "_log_unusable", said.append)

    def broken() -> Settings:
        raise error

    rules = AccessRules()
    server = serve._Server(object(), load({}, {"KIMONO_API_KEY": MARK}), rules, Verifier())  # type: ignore[arg-type]
    asyncio.run(server._reload(broken))
    (line,) = said
    assert line.startswith(f"internal error: {type(error).__name__} at test_reload.py:")
    assert MARK not in line
    assert server._rules is rules
