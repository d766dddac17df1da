"""Tests that a signal at any moment, from the first line of the program to its end, does what it should.

A process sends the signal to itself, at the call of a function or at the import of a module. So the moment is exact.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import Fault, Simulator
from tests.support.processes import answers, environment, eventually, get, kimono, measured, running, served

ITSELF = """
import os, signal, sys
number, moment, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, under which the tests may run, ignores it

def send():
    global moment
    if moment:
        moment = ""
        sys.setprofile(None)
        os.kill(os.getpid(), number)

class Imports:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            send()

def calls(frame, event, argument):
    if event == "call" and frame.f_code.co_qualname == moment:
        send()

sys.meta_path.insert(0, Imports())
sys.setprofile(calls)
sys.argv[1:] = arguments
from exporter.__main__ import main
main()
"""
# Modules, in the order in which they are imported, then functions in the order of their calls.
LOADING = ["exporter.cli", "aiohttp"]
STARTING = ["run_command", "load", "Runner.run", "serve"]
SERVING = ["keeping_state", "_Server.start", "Poller.run"]
STOPPING = ["RunningServer.stop", "BaseEventLoop.close", "discard_unwritten"]
STOP = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    hub = Simulator(tenants=2, stories=[])
    (tmp_path / "web.yaml").write_text("http_server_config: {}\n")
    with served(hub) as url:
        yield environment(
            hub,
            url,
            KIMONO_WEB_LISTEN_ADDRESS="127.0.0.1:0",
            KIMONO_STATE_FILE=str(tmp_path / "state"),
            KIMONO_WEB_CONFIG_FILE=str(tmp_path / "web.yaml"),
            PYTHONPATH=str(Path.cwd()),
        )


def sending(number: int, moment: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", ITSELF, str(int(number)), moment, *arguments]


@pytest.mark.parametrize("number", STOP)
@pytest.mark.parametrize("moment", [*LOADING, *STARTING, *SERVING])
def test_a_signal_to_stop_ends_run_cleanly_at_any_moment(
    moment: str, number: int, environ: dict[str, str], tmp_path: Path
) -> None:
    with running(sending(number, moment, "run"), environ, tmp_path / "run") as process:
        assert process.wait(10) == 0
        assert "Traceback" not in process.errors
        assert "internal error" not in process.errors


@pytest.mark.parametrize("moment", [*LOADING, *STARTING, *SERVING])
def test_hangup_at_any_moment_ends_nothing_and_is_not_forgotten(
    moment: str, environ: dict[str, str], tmp_path: Path
) -> None:
    with running(sending(signal.SIGHUP, moment, "run"), environ, tmp_path / "run") as process:
        eventually(lambda: "settings reloaded" in process.errors)
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.errors.count("settings reloaded") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("moment", STOPPING)
def test_a_signal_does_not_disturb_the_end(moment: str, number: int, environ: dict[str, str], tmp_path: Path) -> None:
    with running(sending(number, moment, "run"), environ, tmp_path / "run") as process:
        eventually(lambda: "listening" in process.errors)
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.errors.splitlines()[-1].endswith("msg=stopped")


def test_many_signals_at_once_end_it_cleanly(environ: dict[str, str], tmp_path: Path) -> None:
    with running(kimono("run"), environ, tmp_path / "run") as process:
        eventually(lambda: "listening" in process.errors)
        for number in [signal.SIGHUP, *STOP] * 30:
            process.send(number)
        assert process.wait(5) == 0
        assert "Traceback" not in process.errors


@pytest.mark.parametrize(("command", "moment"), [("check", "aiohttp"), ("once", "load"), ("check", "Poller.once")])
def test_an_interrupt_ends_a_command_without_a_traceback(
    command: str, moment: str, environ: dict[str, str], tmp_path: Path
) -> None:
    with running(sending(signal.SIGINT, moment, command), environ, tmp_path / "run") as process:
        assert process.wait(10) == 130
        assert (process.output, process.errors) == ("", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_a_command_as_they_end_any_program(
    number: signal.Signals, environ: dict[str, str], tmp_path: Path
) -> None:
    """A terminal that is closed sends SIGHUP: no command must go on without it."""
    with running(sending(number, "Poller.once", "check"), environ, tmp_path / "run") as process:
        assert process.wait(10) == -number
        assert (process.output, process.errors) == ("", "")


@pytest.mark.parametrize("moment", [*LOADING, "load", "Simulator.__init__", "serve", "_Server.start", "Poller.run"])
def test_hangup_at_any_moment_stops_the_demo(moment: str, tmp_path: Path) -> None:
    arguments = ("demo", "--exporter-only", "--web.listen_address", "127.0.0.1:0")
    environ = {"PYTHONPATH": str(Path.cwd())}
    with running(sending(signal.SIGHUP, moment, *arguments), environ, tmp_path) as process:
        assert process.wait(10) == 0
        assert process.errors == ""


@pytest.mark.parametrize(("command", "moment"), [("demo", "Simulator.__init__"), ("simulate", "_serve_simulator")])
def test_an_interrupt_ends_the_simulation_without_a_traceback(command: str, moment: str, tmp_path: Path) -> None:
    address = {
        "demo": ("--exporter-only", "--web.listen_address", "127.0.0.1:0"),
        "simulate": ("--listen", "127.0.0.1:0"),
    }[command]
    environ = {"PYTHONPATH": str(Path.cwd())}
    with running(sending(signal.SIGINT, moment, command, *address), environ, tmp_path) as process:
        assert process.wait(10) in (0, 130)
        assert process.errors == ""


# Within 5 s, whatever goes on

BLOCKED = """
import os, sys, time
import exporter.polling.discovery as d
from exporter import process
process.prepare(sys.argv[1:])
from exporter.cli import main
{what}
sys.exit(main(sys.argv[1:], os.environ))
"""
HANGS = {
    "the event loop": (
        "d.Discovery.discover = lambda self: print('hangs', file=sys.stderr, flush=True) or time.sleep(60)"
    ),
    "a thread that is waited for at the end": (
        "import asyncio\n"
        "async def waits(self):\n"
        "    asyncio.get_running_loop().run_in_executor(None, time.sleep, 60)\n"
        "    print('hangs', file=sys.stderr, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "d.Discovery.discover = waits"
    ),
    "a task that can't be cancelled": (
        "import asyncio\n"
        "async def goes_on(self):\n"
        "    print('hangs', file=sys.stderr, flush=True)\n"
        "    while True:\n"
        "        try: await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError: pass\n"
        "d.Discovery.discover = goes_on"
    ),
    "the end": "import atexit\natexit.register(time.sleep, 60)\nprint('hangs', file=sys.stderr, flush=True)",
}


@pytest.mark.parametrize("what", HANGS)
def test_it_ends_within_five_seconds_whatever_hangs(what: str, environ: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", BLOCKED.format(what=HANGS[what]), "run"]
    with running(command, environ, tmp_path / "run") as process:
        eventually(lambda: "hangs" in process.errors and "listening" in process.errors)
        process.send(signal.SIGTERM)
        assert process.wait(5) == 1
        assert "Traceback" not in process.errors


def test_pages_and_the_end_go_on_though_nobody_reads_its_log(environ: dict[str, str]) -> None:
    """The pipe is full, and every discovery logs something."""
    process = subprocess.Popen(
        [sys.executable, "-c", BLOCKED_LOG, "--log.level", "debug"],
        env={"PATH": "", **measured(), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    address = process.stdout.readline().strip()
    try:
        eventually(lambda: answers(f"{address}/-/ready"))
        for _ in range(5):
            process.send_signal(signal.SIGHUP)
            assert "kimono_tenants 2.0" in get(f"{address}/metrics")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    finally:
        process.kill()
        process.communicate()


BLOCKED_LOG = """
import fcntl, os, sys
from exporter import process
process.prepare(["run"])
import exporter.serve as serve
from exporter.cli import main
def fill(addresses):
    flags = fcntl.fcntl(2, fcntl.F_GETFL)
    fcntl.fcntl(2, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        while os.write(2, b"x"): pass
    except BlockingIOError: pass
    fcntl.fcntl(2, fcntl.F_SETFL, flags)
    print(addresses[0], flush=True)
serve.log_addresses = fill
serve.serve.__defaults__ = (fill,)
sys.exit(main(["run", *sys.argv[1:]], os.environ))
"""


def test_it_stops_in_the_middle_of_everything(environ: dict[str, str], tmp_path: Path) -> None:
    """Calls of the API hang, a reader does not read, and a request is half sent."""
    hub = Simulator(tenants=2, stories=[])
    with served(hub) as url, running(kimono("run"), {**environ, "KIMONO_API_URL": url}, tmp_path / "run") as process:
        match = eventually(lambda: re.search(r"metrics=http://(127\.0\.0\.1):(\d+)/metrics", process.errors))
        hub.faults.add(Fault("hang"))
        assert "kimono_up" in get(f"http://{match[1]}:{match[2]}/metrics")
        sockets = [socket.create_connection((match[1], int(match[2]))) for _ in range(20)]
        for number, each in enumerate(sockets):
            each.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"\r\n" * (number % 2))
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        for each in sockets:
            each.close()
