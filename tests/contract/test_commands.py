"""Tests the commands: output, exit codes, and that no traceback or secret is printed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import __version__
from exporter.api.credentials import BasicCredentials
from exporter.api.errors import AuthError
from exporter.assembly import account_credentials
from exporter.check import check
from exporter.cli import run_command
from exporter.collectors import COLLECTORS
from exporter.families import FAMILIES
from exporter.reference import metrics_markdown
from exporter.settings import load
from exporter.simulator import Fault, Simulator
from exporter.state_file import StateFile
from tests.support.processes import Process, environment, eventually, kimono, measured, running, served
from tests.support.simulated_exporter import Page

MARK = "S3CR3T"


@pytest.fixture
def hub() -> Simulator:
    return Simulator(tenants=5, stories=[])


@pytest.fixture
def url(hub: Simulator) -> Iterator[str]:
    with served(hub) as base_url:
        yield base_url


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310 - loopback
        return str(reply.read().decode())


def flat(text: str) -> str:
    """A text as one line, wherever it was folded."""
    return " ".join(text.split())


def clean(*texts: str) -> None:
    """Assert that no output has a traceback or a secret."""
    for text in texts:
        assert "Traceback" not in text
        assert MARK not in text


# check


def test_check_counts_working_tenants_and_succeeds(
    hub: Simulator, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["check"], environment(hub, url)) == 0
    out, err = capsys.readouterr()
    clean(out, err)
    assert "5 tenants without failures: application 5, ingestions 5, rollovers 5, schedules 5, state 5" in flat(out)
    assert "All 5 tenants can be polled." in out
    assert err == "", "no progress bar where there is no terminal"


def test_check_names_the_failing_tenants_why_and_how_to_fix_it(
    hub: Simulator, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = hub.tenants()[0]
    hub.faults.add(Fault("unauthorized", tenant_id=bad.id, endpoint="/tenant/state"))
    hub.faults.add(Fault("html", tenant_id=hub.tenants()[1].id, status=200))
    assert run_command(["check"], environment(hub, url)) == 1
    out, err = capsys.readouterr()
    clean(out, err)
    assert "2 of 5 tenants are failing." in out
    text = flat(out)
    assert "1 tenant fails: auth state: the API returned HTTP 401: it refused the credentials" in text
    assert "application, ingestions, rollovers, schedules, state: the reply is HTML" in text
    assert f"Tenants: {bad.name[:30]}" in text
    assert "The secret was changed or revoked" in text
    assert "3 tenants without failures" in text


def test_check_shows_the_problems_that_one_poll_shows_and_does_not_fail(
    hub: Simulator, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stalled, waiting = hub.tenants()[:2]
    hub.start_ingestion(stalled.id, started_at=hub.now() - 7.5 * 3600)
    hub.tenant(waiting.id).flags["mass_change_pending"] = True  # since when is unknown
    assert run_command(["check"], environment(hub, url)) == 0
    out, err = capsys.readouterr()
    clean(out, err)
    _, title, block = out.partition("Problems of 1 tenant, as one poll without a history in state.file shows them:\n")
    assert title
    assert block.startswith("  critical: an ingestion has not finished (stalled)\n    1 tenant, for 7 h 30 min: ")
    assert stalled.name[:30] in flat(block)
    assert waiting.name not in flat(block)
    assert "All 5 tenants can be polled." in block


def test_check_knows_what_a_running_exporter_has_saved(
    hub: Simulator, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = hub.tenants()[0]
    hub.tenant(waiting.id).flags["mass_change_pending"] = True
    environ = environment(hub, url) | {"KIMONO_STATE_FILE": str(tmp_path / "state")}
    assert run_command(["once"], environ) == 0
    capsys.readouterr()
    lines = (tmp_path / "state").read_text().replace('"mass_change_pending":17', '"mass_change_pending":16')
    (tmp_path / "state").write_text(lines)
    before = (tmp_path / "state").read_bytes()

    file = StateFile(tmp_path / "state")
    assert file.lock()
    try:
        assert run_command(["check"], environ) == 0
    finally:
        file.unlock()
    out, err = capsys.readouterr()
    clean(out, err)
    assert out.startswith("Problems of 1 tenant:\n")
    assert "a mass change waits for approval (mass_change)" in out
    assert (tmp_path / "state").read_bytes() == before, "check changes nothing"


@pytest.mark.parametrize("content", ["", "{}\n", "not JSON"])
def test_check_works_beside_a_state_file_that_it_cannot_use(
    content: str, hub: Simulator, url: str, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text(content)
    assert run_command(["check"], environment(hub, url) | {"KIMONO_STATE_FILE": str(tmp_path / "state")}) == 0
    assert (tmp_path / "state").read_text() == content


def test_check_says_when_the_tenants_cannot_be_listed(
    hub: Simulator, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["check"], environment(hub, url) | {"KIMONO_API_KEY": "wrong"}) == 1
    out, err = capsys.readouterr()
    clean(out, err)
    assert "Discovery of tenants fails: the API returned HTTP 401: it refused the credentials" in flat(out)
    assert "How to fix: Give the account's current credentials" in flat(out)
    assert "No tenant was found" not in out


@pytest.mark.parametrize(
    ("environ", "advice"),
    [
        ({"KIMONO_API_KEY": "wrong"}, "the API key in KIMONO_API_KEY or api.key."),
        ({"KIMONO_API_KEY_FILE": "FILE"}, "the API key in the file of api.key_file."),
        (
            {"KIMONO_API_CLIENT_ID": "wrong", "KIMONO_API_CLIENT_SECRET": "wrong"},
            "api.client_id, and its secret in KIMONO_API_CLIENT_SECRET or api.client_secret.",
        ),
        (
            {"KIMONO_API_CLIENT_ID": "wrong", "KIMONO_API_CLIENT_SECRET_FILE": "FILE"},
            "api.client_id, and its secret in the file of api.client_secret_file.",
        ),
        ({"KIMONO_API_TOKEN": "wrong"}, "a bearer token that has not expired, in KIMONO_API_TOKEN or api.token."),
        ({"KIMONO_API_TOKEN_FILE": "FILE"}, "a bearer token that has not expired, in the file of api.token_file."),
        ({"KIMONO_API_TENANTS_FILE": "TENANTS"}, "update it in api.tenants_file, which is TENANTS."),
    ],
)
def test_the_advice_of_check_names_the_credentials_in_use(
    environ: dict[str, str], advice: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("wrong")
    (tmp_path / "tenants.yaml").write_text('[{"client_id": "wrong", "client_secret": "wrong"}]')
    places = {"FILE": str(tmp_path / "file"), "TENANTS": str(tmp_path / "tenants.yaml")}
    given = {name: places.get(value, value) for name, value in environ.items()}
    assert run_command(["check"], {"KIMONO_API_URL": url, **given}) == 1
    _, _, advised = capsys.readouterr().out.partition("How to fix: ")
    line = advised.partition("\n\n")[0].replace("\n", "" if "TENANTS" in advice else " ").strip()
    assert line.replace(" ", "").endswith(advice.replace("TENANTS", places["TENANTS"]).replace(" ", ""))
    others = {"api.key", "api.token", "api.client_id", "api.tenants_file"} - {
        word.rstrip(".,") for word in advice.split()
    }
    assert not [name for name in others if name in line.replace(f"{name}_file", "")]


@pytest.mark.parametrize("with_file", [True, False])
def test_the_advice_for_a_tenant_names_where_its_secret_comes_from(
    hub: Simulator,
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    with_file: bool,  # noqa: FBT001 - a table
) -> None:
    one = hub.tenants()[0]
    hub.faults.add(Fault("unauthorized", tenant_id=one.id, endpoint="/tenant/state"))
    entry = {"client_id": one.credentials.client_id, "client_secret": one.credentials.client_secret}
    file = tmp_path / "tenants.yaml"
    file.write_text(json.dumps([{**entry, "type": one.credentials.type}]))
    of_file = {"KIMONO_API_URL": url, "KIMONO_API_TENANTS_FILE": str(file)}
    assert run_command(["check"], of_file if with_file else environment(hub, url)) == 1
    out = "".join(capsys.readouterr().out.split())
    assert (f"updateitinapi.tenants_file,whichis{file}." in out) is with_file
    assert ("updateitinthehub,whichgivesitinthetenantlist." in out) is not with_file


def test_check_fails_if_the_filter_matches_no_tenant(
    hub: Simulator, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["check", "--discovery.include", "no-match*"], environment(hub, url)) == 1
    assert "No tenant was found." in capsys.readouterr().out


def test_a_hostile_name_cannot_control_the_terminal(
    hub: Simulator, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.rename(hub.tenants()[0].id, "[bold]Evil\x1b[2J\x07 District")
    for more in (["--all"], ["--tenant", "[[]bold]*"]):
        assert run_command(["check", *more], environment(hub, url)) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "[bold]Evil?[2J? District" in out


def test_actor_credentials_alone_are_enough(
    hub: Simulator, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [tenant.credentials for tenant in hub.tenants()]
    entries = [{"type": each.type, "client_id": each.client_id, "client_secret": each.client_secret} for each in shown]
    (tmp_path / "tenants.yaml").write_text(json.dumps(entries[:2]))
    environ = {"KIMONO_API_URL": url, "KIMONO_API_TENANTS_FILE": str(tmp_path / "tenants.yaml")}
    assert run_command(["check"], environ) == 0
    out, err = capsys.readouterr()
    clean(out, err)
    assert "All 2 tenants can be polled." in out

    entries[1]["client_secret"] = "wrong"
    (tmp_path / "tenants.yaml").write_text(json.dumps(entries[:2]))
    assert run_command(["check"], environ) == 1
    out, err = capsys.readouterr()
    clean(out, err)
    assert "1 tenant without failures" in out, "one entry that fails does not hide the other"
    assert "entry 2" in out


@pytest.mark.parametrize("kind", ["key", "client", "token", "files"])
def test_every_kind_of_account_credentials_works(
    kind: str, hub: Simulator, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key").write_text(hub.api_key + "\n")
    environ = {
        "key": {"KIMONO_API_KEY": hub.api_key},
        "client": {"KIMONO_API_CLIENT_ID": hub.client_id, "KIMONO_API_CLIENT_SECRET": hub.client_secret},
        "token": {"KIMONO_API_TOKEN": hub.token},
        "files": {"KIMONO_API_KEY_FILE": str(tmp_path / "key")},
    }[kind]
    assert run_command(["check", "--api.rate_limit=500"], {"KIMONO_API_URL": url, **environ}) == 0
    clean(*capsys.readouterr())


def test_a_secret_file_that_is_gone_is_an_auth_error(hub: Simulator, url: str, tmp_path: Path) -> None:
    """A mounted file may be removed at run time: discovery fails, known tenants stay."""
    key = tmp_path / "key"
    key.write_text(hub.api_key)
    settings = load({"api.url": url, "api.key_file": str(key)}, {})
    assert account_credentials(settings.api) == BasicCredentials(hub.api_key, hub.api_key)
    key.unlink()
    with pytest.raises(AuthError, match="No such file") as raised:
        account_credentials(settings.api)
    clean(str(raised.value))


def test_a_tenants_file_that_is_broken_while_running_is_reported(
    hub: Simulator, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = hub.tenants()[0].credentials
    file = tmp_path / "tenants.yaml"
    file.write_text(
        json.dumps([{"client_id": entry.client_id, "client_secret": entry.client_secret, "type": entry.type}])
    )
    settings = load({"api.url": url, "api.tenants_file": str(file)}, {})
    file.write_text("[]")

    assert asyncio.run(check(settings)) is False
    assert "is not a YAML list of at least one tenant" in capsys.readouterr().out


# once, metrics, help


def test_once_prints_one_whole_page_for_the_textfile_collector(
    hub: Simulator, url: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run_command(["once"], environment(hub, url)) == 0
    text = capfdbinary.readouterr().out.decode()
    clean(text)
    page = Page(text)
    assert len(page.all("kimono_tenant_up")) == 5
    assert not [name for name in page.names() if name.startswith(("process_", "python_"))]


def test_once_fails_if_the_tenants_cannot_be_listed(
    hub: Simulator, url: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    hub.faults.add(Fault("html", endpoint="/tenants"))
    assert run_command(["once"], environment(hub, url)) == 1
    captured = capfdbinary.readouterr()
    assert Page(captured.out.decode()).value("kimono_up") == 0
    assert b"discovery of tenants fails" in captured.err


def test_metrics_prints_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["metrics"], {}) == 0
    assert capsys.readouterr().out == metrics_markdown()


@pytest.mark.parametrize(
    "command", ["", "run", "demo", "simulate", "check", "once", "healthcheck", "metrics", "assets", "drill"]
)
def test_help_is_there_for_every_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command([*command.split(), "--help"], {})
    assert ended.value.code == 0
    assert "usage: kimono-exporter" in capsys.readouterr().out


@pytest.mark.parametrize(
    "flags", [[], ["--log.level", "debug"], ["run"], ["--web.listen-address=:1", "--config.check"]]
)
def test_version_is_printed(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command([*flags, "--version"], {})
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"kimono-exporter, version {__version__}")


@pytest.mark.parametrize("arguments", [["frobnicate"], ["--nope"], ["demo", "--tenants", "0"], ["run", "extra"]])
def test_an_invalid_command_line_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command(arguments, {})
    assert ended.value.code == 2
    clean(*capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--collectors.state.intervall=5m"], "did you mean --collectors.state.interval?"),
        ([f"--api.kee={MARK}"], "no such flag: --api.kee"),
        (["check", "--api-key", MARK], "no such flag: --api-key"),
        (["demo", "--api.url=http://x"], "no such flag: --api.url ("),
        (["demo", "--api.proxy_url=http://x:1"], "no such flag: --api.proxy_url ("),
        (["demo", "--api.proxy_url_file=x"], "no such flag: --api.proxy_url_file ("),
        (["demo", "--api.ca_file=x.pem"], "no such flag: --api.ca_file ("),
    ],
)
def test_an_unknown_flag_is_named_without_its_value(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command(arguments, {})
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    clean(out, err)
    assert expected in err


# Unusable settings


def test_unusable_settings_are_a_line_each_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"KIMONO_API_URL": "ftp://x", "KIMONO_API_TIMEOUT": "soon", "KIMONO_API_KEY": MARK}
    assert run_command([], environ) == 2
    out, err = capsys.readouterr()
    assert out == ""
    clean(err)
    lines = err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("kimono-exporter: api.") and "set --api." in line for line in lines)


def test_a_port_that_is_taken_is_an_unusable_setting(
    hub: Simulator, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert run_command(["--web.listen_address", address], environment(hub, url)) == 2
        assert run_command(["simulate", "--listen", address], {}) == 2
    out, err = capsys.readouterr()
    clean(out, err)
    assert f"web.listen_address: can't listen on {address}" in err
    assert f"--listen: can't listen on {address}" in err


def test_a_web_config_that_is_broken_is_an_unusable_setting(
    hub: Simulator, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "web.yaml").write_text("basic_auth_users:\n  someone: not-a-hash\n")
    assert run_command(["--web.config_file", str(tmp_path / "web.yaml")], environment(hub, url)) == 2
    err = capsys.readouterr().err
    clean(err)
    assert "web.config_file" in err
    assert "not-a-hash" not in err


# run


@pytest.fixture
def exporter(hub: Simulator, url: str, tmp_path: Path) -> Iterator[tuple[Process, str]]:
    (tmp_path / "key").write_text(hub.api_key)
    (tmp_path / "config.yaml").write_text(json.dumps({"collectors": {"application": {"enabled": True}}}))
    environ = environment(
        hub,
        url,
        KIMONO_API_KEY_FILE=str(tmp_path / "key"),
        KIMONO_CONFIG_FILE=str(tmp_path / "config.yaml"),
        KIMONO_WEB_LISTEN_ADDRESS="127.0.0.1:0",
    )
    del environ["KIMONO_API_KEY"]
    with running(kimono("run"), environ, tmp_path / "exporter") as process:
        eventually(lambda: "listening" in process.errors)
        address = re.search(r"metrics=(http://127\.0\.0\.1:\d+)/metrics", process.errors)
        assert address
        eventually(lambda: is_ready(address[1]))
        yield process, address[1]
        clean(process.output, process.errors)


def is_ready(address: str) -> bool:
    try:
        return bool(get(f"{address}/-/ready"))
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_within_five_seconds(
    number: signal.Signals, exporter: tuple[Process, str], hub: Simulator
) -> None:
    process, _ = exporter
    # In the middle of requests that will never be answered.
    hub.faults.add(Fault("hang"))
    process.send(number)
    assert process.wait(5) == 0
    assert "stopped" in process.errors


def test_it_stops_though_a_look_up_of_a_name_hangs(tmp_path: Path) -> None:
    script = (
        "import socket, sys, time; from exporter.cli import run_command\n"
        "real = socket.getaddrinfo\n"
        "socket.getaddrinfo = lambda host, *a, **k: time.sleep(60) if 'slow' in str(host) else real(host, *a, **k)\n"
        "sys.exit(run_command(['run', '--web.listen_address', '127.0.0.1:0'], {'KIMONO_API_KEY': 'x',"
        " 'KIMONO_API_URL': 'https://slow.invalid'}))"
    )
    with running([sys.executable, "-c", script], {"PYTHONPATH": str(Path.cwd())}, tmp_path) as process:
        eventually(lambda: "listening" in process.errors)
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0


def test_hangup_reads_settings_and_secrets_again(exporter: tuple[Process, str], tmp_path: Path) -> None:
    process, address = exporter
    assert "kimono_application_deliver_tasks{" in get(f"{address}/metrics")
    settings = {
        "collectors": {"application": {"enabled": False}, "account": {"enabled": True}},
        "log": {"format": "json"},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    process.send(signal.SIGHUP)
    eventually(lambda: "settings reloaded" in process.errors)
    page = eventually(lambda: page_with(address, "kimono_clouds "))
    assert "kimono_application_deliver_tasks{" not in page
    assert json.loads(process.errors.splitlines()[-1])["msg"] == "settings reloaded"


def page_with(address: str, text: str) -> str:
    page = get(f"{address}/metrics")
    return page if text in page else ""


def test_hangup_with_unusable_settings_changes_nothing(exporter: tuple[Process, str], tmp_path: Path) -> None:
    process, address = exporter
    (tmp_path / "config.yaml").write_text("api: {timeout: soon}\n")
    process.send(signal.SIGHUP)
    eventually(lambda: "the old ones stay" in process.errors)
    assert "api.timeout" in process.errors
    assert get(f"{address}/-/ready")


def test_the_pages_are_served(exporter: tuple[Process, str]) -> None:
    _, address = exporter
    assert "kimono_tenants 5.0" in get(f"{address}/metrics")
    assert get(f"{address}/-/healthy") == "ok\n"
    landing = get(address)
    assert MARK not in landing
    assert 'href="metrics"' in landing


def test_an_internal_error_is_a_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise KeyError(MARK)

    monkeypatch.setattr("exporter.cli.metrics_markdown", broken)
    assert run_command(["metrics"], {}) == 1
    out, err = capsys.readouterr()
    clean(out, err)
    assert err.startswith("kimono-exporter: internal error: KeyError at test_commands.py:")


def test_a_reader_of_the_output_that_goes_away_is_no_traceback(hub: Simulator, url: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-m", "exporter", "once"],
        env={"PATH": "", **measured(), **environment(hub, url)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, "")


# demo and simulate


def exported(line: str) -> dict[str, str]:
    """The variables that the printed command sets for curl."""
    return dict(re.findall(r"(\w+)=(\S+)", line.partition(": export ")[2].partition("\n")[0]))


def test_the_demo_says_in_four_lines_where_to_look_what_to_do_and_how_to_stop(tmp_path: Path) -> None:
    hostile = {"KIMONO_API_URL": "https://example.invalid", "KIMONO_API_TENANTS_FILE": "/nowhere"}
    command = kimono("demo", "--exporter-only", "--web.listen_address", "127.0.0.1:0", "--tenants", "26")
    with running(command, hostile, tmp_path) as process:
        eventually(lambda: process.output.count("\n") == 4)
        first, second, third, fourth = process.output.splitlines()
        assert "26 tenants" in first
        assert set(exported(third)) == {"API", "ACCOUNT", "TENANT"}
        assert "Ctrl-C" in fourth
        address = re.search(r"http://127\.0\.0\.1:\d+", second)
        assert address
        eventually(lambda: is_ready(address[0]))
        assert Page(get(f"{address[0]}/metrics")).value("kimono_tenants") == 26
        eventually(lambda: default_families() <= typed(address[0]), 60)
        process.send(signal.SIGINT)
        assert process.wait(5) == 0
        assert process.errors == ""


# Facts that only hours of polls can know, or an end within the first minute; and times that can't be parsed.
NOT_AT_ONCE = {
    "kimono_rollover_start_unknown",
    "kimono_rollover_end_unknown",
    "kimono_tenant_last_long_pause_timestamp_seconds",
    "kimono_tenant_reported_info",
    "kimono_schedule_due_since_timestamp_seconds",
    "kimono_schedule_missed_since_timestamp_seconds",
    "kimono_ingestion_failing_since_timestamp_seconds",
}


def default_families() -> set[str]:
    """All but those of the collectors that are off unless asked for, and those that take hours."""
    off = [each for each in COLLECTORS if not each.enabled_by_default]
    shown = {family.name for family in FAMILIES} - {family.name for each in off for family in each.families}
    return shown - NOT_AT_ONCE


def typed(address: str) -> set[str]:
    """The families on the page."""
    return set(re.findall(r"^# TYPE (\S+) ", get(f"{address}/metrics"), re.MULTILINE))


def test_another_client_can_use_the_simulated_api(tmp_path: Path) -> None:
    with running(kimono("simulate", "--listen", "127.0.0.1:0", "--tenants", "3"), {}, tmp_path / "hub") as hub:
        eventually(lambda: hub.output.count("\n") == 4)
        printed = dict(re.findall(r"(KIMONO_\w+)=(\S+)", hub.output))
        # None of three tenants has credentials that need no token.
        assert exported(hub.output) == {
            "API": printed["KIMONO_API_URL"],
            "ACCOUNT": ":".join([printed["KIMONO_API_KEY"]] * 2),
        }
        result = subprocess.run(
            [sys.executable, "-m", "exporter", "check", "--api.rate_limit=500"],
            env={"PATH": "", **measured(), **printed},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr
        assert "All 3 tenants can be polled." in result.stdout
        hub.send(signal.SIGTERM)
        assert hub.wait(5) == 0
