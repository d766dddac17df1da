"""Tests output that fails, and terminals with other encodings: a line says why, and the exit code is as usual."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import Simulator
from tests.support.processes import answers, environment, eventually, free_port, get, kimono, measured, running, served
from tests.support.simulated_exporter import Page

FULL = "kimono-exporter: can't write: No space left on device\n"
CLOSED = "kimono-exporter: can't write: Bad file descriptor\n"


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    hub = Simulator(tenants=2, stories=[])
    hub.rename(hub.tenants()[0].id, "Gymnasium Zürich 東京")
    with served(hub) as url:
        yield environment(hub, url, HOME=str(tmp_path_factory.mktemp("home")))


def shell(command: str, environ: dict[str, str], redirected: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a command of the exporter, with its streams redirected by a shell."""
    line = f"exec {shlex.join(kimono(*shlex.split(command)))} {redirected}"
    return subprocess.run(
        ["/bin/sh", "-c", line],
        env={"PATH": os.environ["PATH"], **measured(), **environ},
        capture_output=True,
        check=False,
        timeout=60,
    )


# Output that fails


@pytest.mark.parametrize(
    ("command", "redirected", "said"),
    [
        *((command, ">/dev/full", FULL) for command in ("once", "check", "metrics", "--help", "demo")),
        *((command, ">&-", CLOSED) for command in ("once", "check", "--version")),
        ("metrics", ">&- <&-", CLOSED),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_fails_is_a_line_and_exit_code_1(
    command: str, redirected: str, said: str, unbuffered: str, environ: dict[str, str]
) -> None:
    """Containers often set PYTHONUNBUFFERED."""
    more = {"PYTHONUNBUFFERED": unbuffered} if unbuffered else {}
    if command == "demo":
        more["KIMONO_WEB_LISTEN_ADDRESS"] = "127.0.0.1:0"
    result = shell(command, environ | more, redirected)
    assert (result.returncode, result.stdout, result.stderr.decode()) == (1, b"", said)


@pytest.mark.parametrize("command", ["check", "run --help"])
def test_a_reader_that_goes_away_is_no_message(command: str, environ: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        kimono(*shlex.split(command)),
        env={"PATH": os.environ["PATH"], **measured(), **environ},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("command", "redirected", "code"),
    [
        ("check --api.timeout=soon", "2>/dev/full", 2),
        ("check --nope", "2>&-", 2),
        ("demo x", "2>&- >&- <&-", 2),
        ("metrics", "2>&-", 0),
    ],
)
def test_without_standard_error_the_exit_code_stays(
    redirected: str, command: str, code: int, environ: dict[str, str]
) -> None:
    assert shell(command, environ, redirected).returncode == code


@pytest.mark.parametrize("redirected", ["2>&- >&- <&-", "2>/dev/full >/dev/full"])
def test_run_serves_without_any_output(redirected: str, environ: dict[str, str], tmp_path: Path) -> None:
    """If descriptors 0 to 2 were free, sockets and the state file would get them, and messages would end up there."""
    address = f"127.0.0.1:{free_port()}"
    flags = ("--web.listen_address", address, "--state.file", str(tmp_path / "state"), "--log.level", "debug")
    line = f"exec {shlex.join(kimono('run', *flags))} {redirected}"
    with running(["/bin/sh", "-c", line], environ, tmp_path / "run") as process:
        eventually(lambda: answers(f"http://{address}/-/ready"))
        assert Page(get(f"http://{address}/metrics")).value("kimono_tenants") == 2
        process.send(signal.SIGHUP)
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
    assert (tmp_path / "state").read_bytes().startswith(b"{")


# Encodings


ENCODINGS = {
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "strict ASCII": {"PYTHONIOENCODING": "ascii:strict"},
    "ISO-8859-1": {"PYTHONIOENCODING": "iso-8859-1"},
    "the C locale without Python's help": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "the POSIX locale": {"LC_ALL": "POSIX"},
}


@pytest.mark.parametrize(
    ("command", "encoding"),
    [*(("check --all", each) for each in ENCODINGS), ("--help", "ASCII"), ("once", "ISO-8859-1"), ("metrics", "ASCII")],
)
def test_other_encodings_get_replacement_characters(command: str, encoding: str, environ: dict[str, str]) -> None:
    result = shell(command, environ | ENCODINGS[encoding])
    assert (result.returncode, result.stderr) == (0, b"")
    if command == "once":
        assert "Gymnasium Zürich 東京" in result.stdout.decode(), "node_exporter reads UTF-8, whatever the terminal has"
    if command == "check --all":
        zurich = {"ISO-8859-1": "Zürich ??", "the POSIX locale": "Zürich 東京"}.get(encoding, "Z?rich ??")
        assert f"Gymnasium {zurich}" in result.stdout.decode("latin-1" if encoding == "ISO-8859-1" else "utf-8")


def test_log_lines_reach_a_terminal_of_any_encoding(environ: dict[str, str], tmp_path: Path) -> None:
    hostile = {"KIMONO_WEB_LISTEN_ADDRESS": "127.0.0.1:0", "KIMONO_ZÜRICH": "x", "KIMONO_LOG_FORMAT": "json"}
    with running(kimono("run"), {**environ, **ENCODINGS["ASCII"], **hostile}, tmp_path / "run") as process:
        eventually(lambda: "listening" in process.errors)
        assert "KIMONO_Z?RICH: ignored" in process.errors
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0


def test_a_message_about_a_file_with_any_name_is_printed(environ: dict[str, str], tmp_path: Path) -> None:
    for encoding, name in (("ASCII", b"\xff\xfe".decode("utf-8", "surrogateescape")), ("the POSIX locale", "東京")):
        file = shlex.quote(str(tmp_path / f"{name}.yaml"))
        result = shell(f"check --config.file {file}", environ | ENCODINGS[encoding])
        assert result.returncode == 2
        assert b"config.file: can't read" in result.stderr
        assert b"No such file or directory" in result.stderr


# The rest of the environment


def test_no_home_and_a_folder_that_can_not_be_written_are_no_problem(environ: dict[str, str], tmp_path: Path) -> None:
    result = shell("check", environ | {"HOME": "/nonexistent", "TMPDIR": "/nonexistent"})
    assert (result.returncode, result.stderr) == (0, b"")
    bare = {name: value for name, value in environ.items() if name != "HOME"}
    line = f"cd {shlex.quote(str(tmp_path))}; rmdir {shlex.quote(str(tmp_path))}; exec {shlex.join(kimono('once'))}"
    result = subprocess.run(
        ["/bin/sh", "-c", line],
        env={"PYTHONPATH": str(Path.cwd()), **measured(), **bare},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (0, b""), "the working directory is gone"


def test_forty_descriptors_are_enough(environ: dict[str, str], tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    line = f"ulimit -n 40; exec {shlex.join(kimono('run', '--web.listen_address', address))}"
    with running(["/bin/sh", "-c", line], environ, tmp_path) as process:
        eventually(lambda: answers(f"http://{address}/-/ready"))
        assert Page(get(f"http://{address}/metrics")).value("kimono_tenants") == 2
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert "Traceback" not in process.errors
