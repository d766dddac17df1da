"""Tests the conventions of the Prometheus exporter toolkit: flags, paths, sockets of systemd, the version."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import __version__, version
from exporter.cli import run_command
from exporter.flags import all_spelled, flag_of, spelled
from exporter.settings import LEAVES
from exporter.simulator import Simulator
from tests.support.processes import Process, environment, eventually, free_port, get, kimono, measured, running, served
from tests.support.settings import only_problem, parsed_flags

ROOT = Path(__file__).resolve().parents[2]
HIDDEN = "S3CR3T"


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    hub = Simulator(tenants=2, stories=[])
    with served(hub) as url:
        yield environment(hub, url)


def ended(arguments: list[str], environ: dict[str, str] | None = None) -> int:
    """The exit code of a command line that argparse may refuse."""
    try:
        return run_command(arguments, environ or {})
    except SystemExit as end:
        return int(end.code or 0)


# Flags


@pytest.mark.parametrize(
    "written",
    ["--api.rate-limit", "--api.rate_limit", "--web.listen-address", "--web.listen_address", "--log.level"],
)
def test_a_flag_has_one_meaning_in_either_spelling(written: str) -> None:
    path = written.removeprefix("--").replace("-", "_")
    assert parsed_flags(written, "7") == {path: "7"} == parsed_flags(f"{written}=7")


@pytest.mark.parametrize("written", ["--web.config.file", "--web.config_file", "--web.config-file"])
def test_the_web_configuration_has_the_name_that_the_toolkit_gives_it(written: str) -> None:
    assert parsed_flags(written, "a_b-c.yaml") == {"web.config_file": "a_b-c.yaml"}


@pytest.mark.parametrize("leaf", LEAVES.values(), ids=lambda leaf: leaf.path)
def test_every_setting_has_a_hyphenated_flag_that_leads_back_to_it(leaf: object) -> None:
    path = getattr(leaf, "path")  # noqa: B009 - any leaf
    flag = flag_of(path)
    assert "_" not in flag
    assert spelled(f"--{path}") == flag == spelled(flag)


def test_values_keep_their_underscores_and_so_does_what_follows_two_dashes() -> None:
    argv = ["check", "--discovery.include=a_b", "--api.ca_file", "x_y", "-x_y", "--", "--api.key_file"]
    assert all_spelled(argv) == [
        *("check", "--discovery.include=a_b", "--api.ca-file", "x_y", "-x_y", "--", "--api.key_file")
    ]


@pytest.mark.parametrize(
    "twice", [["--api.rate-limit=1", "--api.rate_limit=2"], ["--api.rate_limit=1", "--api.rate-limit", "2"]]
)
def test_of_two_spellings_the_last_wins_as_of_one_spelling_given_twice(twice: list[str]) -> None:
    assert parsed_flags(*twice) == {"api.rate_limit": "2"} == parsed_flags("--api.rate-limit=1", "--api.rate-limit=2")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "--api.rate_limt=1"], "no such flag: --api.rate_limt; did you mean --api.rate-limit?"),
        (["run", "--web.listen-adress", ":1"], "no such flag: --web.listen-adress; did you mean --web.listen-address?"),
        (["run", "--web.config.fil=x"], "no such flag: --web.config.fil; did you mean --web.config.file?"),
        (["check", "--tenantt=x"], "no such flag: --tenantt; did you mean --tenant?"),
        (["check", "--config.check"], "no such flag: --config.check; did you mean --config.file?"),
        (["run", "--config.chek"], "no such flag: --config.chek; did you mean --config.check?"),
        (["run", "--", "--api.key_fil"], "no such flag: --api.key_fil"),
    ],
)
def test_a_misspelt_flag_is_shown_as_written_with_the_nearest_one(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(arguments) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--api.client_secret", "--api.client-secret", "--api.key", "--api.token"])
def test_a_secret_is_refused_in_either_spelling(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended([flag, HIDDEN]) == 2
    err = capsys.readouterr().err
    assert "a secret is not accepted as a flag" in err
    assert f"{spelled(flag)}-file" in err
    assert HIDDEN not in err


def test_help_shows_one_spelling_and_says_that_both_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["run", "--help"]) == 0
    assert not re.search(r"--[a-z.]+_", capsys.readouterr().out)
    assert ended(["--help"]) == 0
    assert "Flags may be written with hyphens or underscores." in " ".join(capsys.readouterr().out.split())


# --config.check


def test_the_settings_can_be_checked_and_nothing_is_started(
    environ: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # the exporter may be running
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        more = {"KIMONO_STATE_FILE": str(tmp_path / "state"), "KIMONO_API_KEYY": "x"}
        assert ended(["--config.check", "--web.listen-address", address], environ | more) == 0
    out, err = capsys.readouterr()
    assert out == "ok: settings, secrets, the web configuration and the state file can be used\n"
    assert err.startswith("kimono-exporter: warning: KIMONO_API_KEYY: ignored")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"KIMONO_API_TIMEOUT": "soon"}, "api.timeout: the value is not a duration"),
        ({"KIMONO_API_KEY": "", "KIMONO_API_KEY_FILE": "/no/such.key"}, "api.key_file: can't read"),
        ({"KIMONO_API_KEY": ""}, "api: there are no credentials"),
        ({"KIMONO_WEB_CONFIG_FILE": "/no/such.yaml"}, "web.config_file: can't read"),
        ({"KIMONO_STATE_FILE": "/usr/no-such-folder/state"}, "state.file: can't use "),
        ({"KIMONO_STATE_FILE": "/proc"}, "state.file: can't use '/proc': it is a folder"),
    ],
)
def test_the_check_of_the_settings_says_what_run_would_say(
    more: dict[str, str], said: str, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(["run", "--config.check"], environ | more) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"kimono-exporter: {said}")


def test_a_folder_without_write_permission_is_found(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("exporter.state_file.os.access", lambda *_: False)  # root may write anywhere
    assert ended(["--config.check"], environ | {"KIMONO_STATE_FILE": str(tmp_path / "state")}) == 2
    assert "no file can be created in its folder" in capsys.readouterr().err


# --web.telemetry-path


@pytest.mark.parametrize("path", ["/metrics", "/kimono/metrics", "/a_b-c.d~1"])
def test_the_path_of_the_metrics_page_is_taken(path: str) -> None:
    assert run_command(["--config.check", f"--web.telemetry-path={path}"], {"KIMONO_API_KEY": "x"}) == 0


@pytest.mark.parametrize(
    "path",
    [
        *("", "metrics", "/", "//", "/metrics/", "/a//b", "/..", "/a/../b", "/a?b", "/a#b", "/{a}", "/ä", "/a b"),
        *("/-/healthy", "/-/metrics", "/healthz", "/readyz", "/api", "/api/metrics", "/tenants/a"),
    ],
)
def test_a_path_that_is_none_or_another_pages_is_refused(path: str) -> None:
    line = only_problem({"web.telemetry_path": path}, {"KIMONO_API_KEY": "x"})
    assert line.startswith("web.telemetry_path: the value is ")
    assert "set --web.telemetry-path, KIMONO_WEB_TELEMETRY_PATH or web.telemetry_path in the file" in line


def test_metrics_are_served_at_the_path_and_links_and_log_follow_it(environ: dict[str, str], tmp_path: Path) -> None:
    command = kimono("run", "--web.telemetry-path=/kimono/metrics", "--web.listen-address=127.0.0.1:0")
    (tmp_path / "kimono.yaml").write_text("")
    more = {"KIMONO_CONFIG_FILE": str(tmp_path / "kimono.yaml")}
    with running(command, environ | more, tmp_path) as process:
        home = address_of(process, "/kimono/metrics")
        assert "kimono_up 1.0" in eventually(lambda: page_with(f"{home}/kimono/metrics", "kimono_up 1.0"))
        assert 'href="kimono/metrics"' in get(f"{home}/")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(f"{home}/metrics")
        process.send(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_new_path_takes_effect_at_the_next_start(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "kimono.yaml"
    file.write_text("web: {listen_address: '127.0.0.1:0'}\n")
    with running(kimono("run"), environ | {"KIMONO_CONFIG_FILE": str(file)}, tmp_path) as process:
        home = address_of(process, "/metrics")
        file.write_text("web: {listen_address: '127.0.0.1:0', telemetry_path: /other}\n")
        process.send(signal.SIGHUP)
        eventually(lambda: "settings reloaded" in process.errors)
        assert 'msg="web.telemetry_path takes effect at the next start" still=/metrics' in process.errors
        assert page_with(f"{home}/metrics", "kimono_up")


def address_of(process: Process, path: str) -> str:
    found = eventually(lambda: re.search(rf"metrics=(\S+?){path}\n", process.errors))
    return found[1]


def page_with(url: str, text: str) -> str:
    page = get(url)
    return page if text in page else ""


# --web.systemd-socket

# As systemd does: the socket is descriptor 3 of the process that LISTEN_PID names.
AS_SYSTEMD = """
import os, socket, sys
kind, command = sys.argv[1], sys.argv[2:]
if kind == "tcp":
    passed = socket.create_server(("127.0.0.1", int(os.environ["TEST_PORT"])))
elif kind == "udp":
    passed = socket.socket(type=socket.SOCK_DGRAM)
else:
    passed = open(os.devnull)
os.dup2(passed.fileno(), 3)
os.set_inheritable(3, True)  # also if it was descriptor 3 before
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = "1" if kind == "other" else str(os.getpid())
os.execv(command[0], command)
"""


def activated(kind: str) -> list[str]:
    return [sys.executable, "-c", AS_SYSTEMD, kind, *kimono("run", "--web.systemd-socket", "--web.listen-address=:0")]


def test_the_exporter_serves_on_the_socket_that_systemd_passes(environ: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    with running(activated("tcp"), environ | {"TEST_PORT": str(port)}, tmp_path) as process:
        assert address_of(process, "/metrics") == f"http://127.0.0.1:{port}"
        assert page_with(f"http://127.0.0.1:{port}/metrics", "kimono_up")
        process.send(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("other", "systemd passed its sockets to another process (by LISTEN_PID); start the exporter by a socket unit"),
        ("udp", "socket 1 that systemd passed is not a TCP socket that listens: its unit needs ListenStream=PORT"),
        ("file", "descriptor 3 that systemd passed is no socket; start the exporter by a socket unit"),
    ],
)
def test_what_is_no_socket_to_listen_on_ends_with_2(
    kind: str, said: str, environ: dict[str, str], tmp_path: Path
) -> None:
    with running(activated(kind), environ, tmp_path) as process:
        assert process.wait(60) == 2
    assert f"kimono-exporter: web.systemd_socket: {said}" in process.errors
    assert "Traceback" not in process.errors


def test_no_socket_at_all_ends_with_2(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(["--web.systemd-socket=true"], environ | {"KIMONO_LOG_LEVEL": "error"}) == 2
    assert "web.systemd_socket: systemd passed no socket (LISTEN_FDS is not set)" in capsys.readouterr().err


def test_the_socket_unit_is_valid_and_for_the_default_port(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "kimono-exporter.socket").read_text(encoding="utf-8")
    port = LEAVES["web.listen_address"].default.rpartition(":")[2]
    assert f"ListenStream={port}\n" in text
    assert "\n#   KIMONO_WEB_SYSTEMD_SOCKET=true\n" in text
    assert LEAVES["web.systemd_socket"].env == "KIMONO_WEB_SYSTEMD_SOCKET"
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    (tmp_path / "kimono-exporter.socket").write_text(text)
    (tmp_path / "kimono-exporter.service").write_text("[Service]\nExecStart=/bin/true\n")
    command = ["systemd-analyze", "verify", str(tmp_path / "kimono-exporter.socket")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not [line for line in result.stderr.splitlines() if "kimono-exporter" in line]


# --version

FACTS = {"branch": "main", "revision": "0123abc", "date": "20261126-22:00:00"}


def test_the_version_says_what_was_built_and_when() -> None:
    first, date, python, platform = version.version_text(FACTS).splitlines()
    assert first == f"kimono-exporter, version {__version__} (branch: main, revision: 0123abc)"
    assert date == "  build date:      20261126-22:00:00"
    assert python == f"  python version:  {sys.version.split()[0]}"
    assert platform.startswith("  platform:        ")


def test_what_is_unknown_of_the_build_is_not_shown() -> None:
    lines = version.version_text({"revision": "0123abc"}).splitlines()
    assert lines[0] == f"kimono-exporter, version {__version__} (revision: 0123abc)"
    assert not [line for line in lines if "build date" in line or "unknown" in line]
    assert version.version_text({}).splitlines()[0] == f"kimono-exporter, version {__version__}"


@pytest.mark.parametrize("source", ["git", "variables", "nothing"])
def test_a_built_package_knows_what_it_was_built_from(source: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    (copy / "exporter").mkdir()
    (copy / "exporter" / "__init__.py").write_text((ROOT / "exporter" / "__init__.py").read_text())
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SOURCE_DATE_EPOCH": "1795730400"}
    expected = {"branch": "", "revision": "", "date": "20261126-22:00:00", "source": ""}
    if source == "variables":
        environ |= {"KIMONO_BUILD_REVISION": "0123abc", "KIMONO_BUILD_BRANCH": "release"}
        expected |= {"branch": "release", "revision": "0123abc"}
    if source == "git":
        git = ("git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=trunk")
        for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message=x", "--no-verify")):
            subprocess.run([*git, *command], cwd=copy, env=environ, check=True)
        head = subprocess.run([*git, "rev-parse", "HEAD"], cwd=copy, env=environ, check=True, capture_output=True)
        (copy / "LICENSE").write_text("changed")
        expected |= {"branch": "trunk", "revision": f"{head.stdout.decode().strip()}-modified"}
    build = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path / "built")]
    subprocess.run(build, cwd=copy, env=environ | measured(), check=True, capture_output=True)
    made: dict[str, dict[str, str]] = {}
    exec((tmp_path / "built" / "exporter" / "_build.py").read_text(), made)  # noqa: S102 - just made
    assert made["BUILD"] == expected
    assert not (copy / "exporter" / "_build.py").exists()


def test_the_image_has_what_the_build_needs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = re.search(r"^COPY (pyproject.toml .*) \./$", dockerfile, re.MULTILINE)
    assert copied
    assert "setup.py" in copied[1].split()
    assert json.loads(dockerfile.partition("HEALTHCHECK ")[2].partition(" CMD ")[2].partition("\n")[0]) == [
        "kimono-exporter",
        "healthcheck",
    ]
