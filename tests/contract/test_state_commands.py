"""Tests the commands with a state file: `run` and `once` keep it, `check` and `demo` don't touch it."""

from __future__ import annotations

import os
import re
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.cli import run_command
from exporter.history import History
from exporter.simulator import Simulator
from exporter.state_file import StateFile
from tests.support.processes import Process, answers, environment, eventually, get, kimono, running, served
from tests.support.simulated_exporter import Page

FINISHED = "kimono_ingestions_finished_total"
WAYS = "set --state.file, KIMONO_STATE_FILE or state.file in the file"


@pytest.fixture
def hub() -> Simulator:
    return Simulator(tenants=3, stories=[])


@pytest.fixture
def environ(hub: Simulator, tmp_path: Path) -> Iterator[dict[str, str]]:
    with served(hub) as base_url:
        yield environment(
            hub,
            base_url,
            KIMONO_STATE_FILE=str(tmp_path / "state"),
            KIMONO_WEB_LISTEN_ADDRESS="127.0.0.1:0",
            KIMONO_COLLECTORS_INGESTIONS_INTERVAL="0.2",
        )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def finished(page: str, tenant: str) -> float | None:
    return Page(page).value(FINISHED, tenant_id=tenant, ingestion_type="collection", state="success")


@pytest.mark.parametrize("command", ["once", "run", "check"])
def test_a_secret_in_place_of_the_state_file_makes_no_file_if_credentials_are_missing(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command([command, "--state.file", "S3CR3T-key"], {}) == 2
    out, err = capsys.readouterr()
    assert [*tmp_path.iterdir()] == []
    assert "there are no credentials" in err
    assert "S3CR3T" not in out + err


# run


@contextmanager
def exporter(environ: dict[str, str], folder: Path, *command: str) -> Iterator[tuple[Process, str]]:
    """A running exporter that has polled all tenants, and its address."""
    with running(command or kimono("run"), environ, folder) as process:
        eventually(lambda: "listening" in process.errors)
        address = re.search(r"metrics=(http://127\.0\.0\.1:\d+)/metrics", process.errors)
        assert address
        eventually(lambda: answers(f"{address[1]}/-/ready"))
        yield process, address[1]


def test_run_saves_at_the_end_and_the_next_one_goes_on(
    environ: dict[str, str], path: Path, hub: Simulator, tmp_path: Path
) -> None:
    tenant = hub.tenants()[0].id
    with exporter(environ, tmp_path / "first") as (process, address):
        ingestion = hub.start_ingestion(tenant)
        eventually(lambda: finished(get(f"{address}/metrics"), tenant) == 0)
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert "state" not in process.errors
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    hub.finish_ingestion(tenant, ingestion)
    with exporter(environ, tmp_path / "second") as (process, address):
        assert finished(get(f"{address}/metrics"), tenant) == 1
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0


def test_a_second_exporter_on_the_same_file_is_refused(environ: dict[str, str], path: Path, tmp_path: Path) -> None:
    with (
        exporter(environ, tmp_path / "first") as (first, address),
        running(kimono("run"), environ, tmp_path / "second") as second,
    ):
        assert second.wait(40) == 2
        reason = f"another exporter uses '{path}'; stop it, or give each its own file"
        assert second.errors == f"kimono-exporter: state.file: {reason}; {WAYS}\n"
        assert answers(f"{address}/-/ready")
        assert first.popen.poll() is None


def test_it_stops_in_time_though_the_disk_hangs(environ: dict[str, str], path: Path, tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from exporter.cli import run_command\n"
        "os.fsync = lambda _: time.sleep(60)\n"
        "sys.exit(run_command(['run'], os.environ))"
    )
    command = (sys.executable, "-c", script)
    with exporter({**environ, "PYTHONPATH": str(Path.cwd())}, tmp_path / "run", *command) as (process, _):
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert "state can't be saved" in process.errors
    assert not path.exists()


def test_it_stops_in_time_though_the_disk_hangs_at_the_start(environ: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from exporter.cli import run_command; from exporter.state_file import StateFile\n"
        "StateFile.lock = lambda _: print('locks', file=sys.stderr, flush=True) or time.sleep(60)\n"
        "sys.exit(run_command(['run'], os.environ))"
    )
    with running((sys.executable, "-c", script), {**environ, "PYTHONPATH": str(Path.cwd())}, tmp_path) as process:
        eventually(lambda: "locks" in process.errors)
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.errors == "locks\n"


def test_a_new_state_file_takes_effect_at_the_next_start(environ: dict[str, str], path: Path, tmp_path: Path) -> None:
    config = tmp_path / "kimono.yaml"
    config.write_text(f"state: {{file: {path}}}")
    del environ["KIMONO_STATE_FILE"]
    with exporter({**environ, "KIMONO_CONFIG_FILE": str(config)}, tmp_path / "run") as (process, _):
        config.write_text(f"state: {{file: {path}.new}}")
        process.send(signal.SIGHUP)
        eventually(lambda: "settings reloaded" in process.errors)
        assert f'"state.file takes effect at the next start" still={path}' in process.errors
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
    assert path.exists()
    assert not Path(f"{path}.new").exists()


@pytest.mark.parametrize("command", ["run", "once"])
def test_a_file_that_can_not_be_used_is_a_line_before_anything_starts(
    command: str, environ: dict[str, str], path: Path, hub: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    path.mkdir()
    assert run_command([command], environ) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"kimono-exporter: state.file: can't use '{path}': it is a folder; {WAYS}\n")
    assert not hub.requests


# once


def once(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """The output and the errors of a successful run."""
    assert run_command(["once"], environ) == 0
    return capsys.readouterr()


def test_once_counts_ends_and_knows_since_when(
    environ: dict[str, str], hub: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = hub.tenants()[0].id
    hub.set_flag(tenant, "synchronization_suspended", on=True)
    ingestion = hub.start_ingestion(tenant)
    first, _ = once(environ, capsys)
    hub.finish_ingestion(tenant, ingestion)
    second, err = once(environ, capsys)
    assert (finished(first, tenant), finished(second, tenant)) == (0, 1)
    since = "kimono_tenant_state_since_timestamp_seconds"
    assert Page(first).all(since) == Page(second).all(since) != {}
    assert err == ""


def test_once_says_what_is_wrong_with_the_file_and_goes_on(
    environ: dict[str, str], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("damaged")
    out, err = once(environ, capsys)
    assert len(Page(out).all("kimono_tenant_up")) == 3
    assert err.count("\n") == 1
    assert "state file not used" in err
    assert f"moved_to={path}.damaged" in err


def test_once_says_that_it_could_not_save(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.fsync", full)
    out, err = once(environ, capsys)
    assert len(Page(out).all("kimono_tenant_up")) == 3
    assert err.count("\n") == 1
    assert "state can't be saved" in err
    assert 'reason="No space left on device"' in err


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_once_does_not_share_the_file_with_another_exporter(
    environ: dict[str, str], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = StateFile(path)
    assert other.lock()
    assert run_command(["once"], environ) == 2
    other.unlock()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"kimono-exporter: state.file: another exporter uses '{path}'; stop it")


# check and demo


def test_check_says_why_it_can_not_use_the_file_and_changes_nothing(
    environ: dict[str, str], path: Path, hub: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("damaged")
    hub.set_flag(hub.tenants()[0].id, "synchronization_suspended", on=True)
    assert run_command(["check"], environ) == 0
    out, err = capsys.readouterr()
    assert "All 3 tenants can be polled." in out
    reason = f"can't use '{path}': it is truncated, or a line is too long"
    assert err == f"kimono-exporter: state.file: {reason}; check goes on without it\n"
    assert [each.name for each in path.parent.iterdir()] == ["state"]
    assert path.read_text() == "damaged"


def test_check_says_nothing_of_a_file_that_is_not_there_yet(
    environ: dict[str, str], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["check"], environ) == 0
    assert capsys.readouterr().err == ""
    assert not path.exists()


def test_check_goes_on_without_a_pipe(environ: dict[str, str], path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(path)
    assert run_command(["check"], environ) == 0
    assert "it is not a regular file; check goes on without it" in capsys.readouterr().err


def test_the_demo_has_no_state_file(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    StateFile(path).write([("a", History())], "https://api.example", 1.0)
    content = path.read_bytes()
    environ = {"KIMONO_STATE_FILE": str(path), "KIMONO_WEB_LISTEN_ADDRESS": "127.0.0.1:0"}
    with running(kimono("demo", "--exporter-only", "--tenants", "2"), environ, tmp_path / "demo") as process:
        eventually(lambda: process.output.count("\n") == 4)
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.errors == ""
    assert path.read_bytes() == content
    with pytest.raises(SystemExit):
        run_command(["demo", "--state.file", str(path)], {})
    assert "no such flag: --state.file" in capsys.readouterr().err
