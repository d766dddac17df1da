"""Tests what `check` prints: groups, 80 columns, single tenants with their calls, JSON, terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from exporter.cli import run_command
from exporter.simulator import Fault, Simulator
from tests.support.processes import environment, kimono, measured, served

COLLECTORS = ("application", "ingestions", "rollovers", "schedules", "state")
LONG, WIDE = "A very long name of a school district " * 6, "東京都立学校" * 20


@pytest.fixture
def hub() -> Simulator:
    return Simulator(tenants=30, stories=[])


@pytest.fixture
def url(hub: Simulator) -> Iterator[str]:
    with served(hub) as base_url:
        yield base_url


@pytest.fixture
def environ(hub: Simulator, url: str) -> dict[str, str]:
    return environment(hub, url)


def printed(arguments: list[str], environ: dict[str, str], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    assert run_command(["check", *arguments], environ) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert "S3CR3T" not in out + err
    assert all(cell_len(line) <= 80 for line in out.splitlines())
    return out


def flat(text: str) -> str:
    return " ".join(text.split())


# Groups


def test_a_healthy_fleet_is_three_lines(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    out = printed([], environ, capsys)
    assert out.splitlines() == [
        "30 tenants without failures: application 30, ingestions 30, rollovers 30,",
        "schedules 30, state 30",
        "All 30 tenants can be polled.",
    ]


def test_tenants_that_fail_in_the_same_way_are_one_block(
    hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for number, each in enumerate(hub.tenants()):
        hub.rename(each.id, f"School {number:02}")
    tenants = hub.tenants()
    for each in tenants[:12]:
        hub.faults.add(Fault("forbidden", tenant_id=each.id, endpoint="/tenant/state"))
    for each in tenants[12:14]:
        hub.faults.add(Fault("unauthorized", tenant_id=each.id, endpoint="/tenant/schedules"))
    out = printed([], environ, capsys, code=1)
    first, second, *rest = out.split("\n\n")
    assert first.startswith("12 tenants fail: forbidden\n  state: the API returned HTTP 403")
    assert re.search(r"Tenants: .* and 9 more How to fix: Ask the hub's administrator", flat(first))
    assert sum(each.name in flat(first) for each in tenants) == 3
    assert second.startswith("2 tenants fail: auth\n  schedules: the API returned HTTP 401")
    assert " more" not in second
    assert "16 tenants without failures" in flat("".join(rest))
    assert out.endswith("14 of 30 tenants are failing.\n")
    assert len(out.splitlines()) < 25

    everyone = flat(printed(["--all"], environ, capsys, code=1))
    assert all(each.name in everyone for each in tenants)
    assert everyone.count("ok: ") == 16


def test_waits_of_different_lengths_are_the_same_failure(
    hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for number, each in enumerate(hub.tenants()[:3]):
        hub.faults.add(Fault("throttle", tenant_id=each.id, endpoint="/tenant/state", retry_after=100 + number))
    out = printed([], environ, capsys, code=1)
    assert "3 tenants fail: throttled" in out
    assert "asked to wait for" in flat(out)
    assert "1 tenant fails" not in out


def test_many_kinds_of_failures_are_cut_and_the_rest_is_counted(
    hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = (400, 402, 405, 406, 409, 411, 412, 413, 414, 415)
    for status, each in zip(statuses, hub.tenants(), strict=False):
        hub.faults.add(Fault("html", tenant_id=each.id, endpoint="/tenant/state", status=status))
    out = printed([], environ, capsys, code=1)
    if out.count("How to fix:") == 1:
        pytest.fail(f"the faults are not of several kinds:\n{out}")
    assert out.count("How to fix:") == 8
    assert "There are 2 more kinds of failures: --all shows them." in out
    assert printed(["--all"], environ, capsys, code=1).count("How to fix:") == 10


def test_problems_are_grouped_by_kind_the_worst_first(
    hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    tenants = hub.tenants()
    for number, each in enumerate(tenants[:5]):
        hub.start_ingestion(each.id, started_at=hub.now() - (8 + number) * 3600)
    out = printed([], environ, capsys)
    assert out.startswith("Problems of 5 tenants, as one poll without a history in state.file shows them:\n")
    assert re.search(r"5 tenants, the longest for 12 h: .* and 2 more", flat(out))

    everyone = flat(printed(["--all"], environ, capsys))
    times = re.findall(r"since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC), for (\d+) h", everyone)
    assert [hours for _, hours in times] == ["12", "11", "10", "9", "8"]
    assert [moment for moment, _ in times] == sorted(moment for moment, _ in times)


def test_long_wide_and_hostile_names_stay_within_80_columns(
    hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    names = (LONG, WIDE, "x" * 300, "\u202eevil\x1b[31m\x07\r\n", "[bold]a[/bold]", "e\u0301" * 100, "👩‍👩‍👧‍👦" * 30)
    for name, each in zip(names, hub.tenants(), strict=False):
        hub.rename(each.id, name)
        hub.faults.add(Fault("forbidden", tenant_id=each.id, endpoint="/tenant/state"))
    for arguments in ([], ["--all"], ["--tenant", "*"]):
        out = printed(arguments, environ, capsys, code=1)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", out)
    assert "[bold]a[/bold]" in printed(["--all"], environ, capsys, code=1)


# One tenant


@pytest.mark.parametrize("by", ["id", "name", "other case", "glob", "glob of id"])
def test_one_tenant_is_polled_with_every_call(
    by: str, hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    hub.rename(hub.tenants()[3].id, "Unique School [1]")
    one = hub.tenants()[3]
    text = {
        "id": one.id,
        "name": one.name,
        "other case": one.name.upper(),
        "glob": "unique *",
        "glob of id": f"{one.id[:20]}*",
    }[by]
    out = printed(["--tenant", text], environ, capsys)
    assert out.startswith(one.name[:40])
    assert f"  id {one.id}; secrets are not shown\n" in out
    calls = re.findall(r"^  (\w+) +(GET|POST) (/\S+) +(\d+\.\d{3}) +(\d+) +(\w+)$", out, re.MULTILINE)
    assert {collector for collector, *_ in calls} == set(COLLECTORS)
    assert {(status, outcome) for *_, status, outcome in calls} <= {("200", "ok"), ("404", "absent"), ("403", "absent")}
    assert ("state", "GET", "/tenant/state") in {call[:3] for call in calls}
    assert out.endswith("The only tenant can be polled.\n")


def test_calls_that_fail_are_shown_with_their_reasons_and_retries(
    hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    one = hub.tenants()[0]
    hub.faults.add(Fault("server_error", tenant_id=one.id, endpoint="/tenant/state"))
    hub.faults.add(Fault("html", tenant_id=one.id, endpoint="/tenant/schedules", status=200))
    hub.faults.add(Fault("unauthorized", tenant_id=one.id, endpoint="/tenant/rollovers"))
    out = printed(["--tenant", one.id], environ, capsys, code=1)
    state = re.findall(r"^  state +GET /tenant/state +\S+ +5\d\d +(.*)$", out, re.MULTILINE)
    assert state == ["server, again", "server, again", "server"]
    assert re.search(r"^  schedules +GET /tenant/schedules +\S+ +200 +bad_response$", out, re.MULTILINE)
    assert re.search(r"^  rollovers +GET /tenant/rollovers +\S+ +401 +auth$", out, re.MULTILINE)
    assert "1 tenant fails: server" in out
    assert "1 of 1 tenants are failing." in out


def test_several_tenants_can_be_chosen(
    hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for each, name in zip(hub.tenants(), ("Alpha 1", "Alpha 2", "alpha 3"), strict=False):
        hub.rename(each.id, name)
    out = printed(["--tenant", "ALPHA*"], environ, capsys)
    assert re.findall(r"^alpha \d", out, re.MULTILINE | re.IGNORECASE) == ["Alpha 1", "Alpha 2", "alpha 3"]
    assert out.count(" GET /tenant/state ") == 3
    assert printed(["--tenant", "Alpha 1"], environ, capsys).count("; secrets are not shown") == 1


@pytest.mark.parametrize("form", [[], ["--output", "json"]])
def test_a_tenant_that_is_not_there_is_1_with_the_nearest_names(
    form: list[str], hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    hub.rename(hub.tenants()[0].id, "Springfield Elementary")
    assert run_command(["check", "--tenant", "Sprinfield Elementary", *form], environ) == 1
    out, err = capsys.readouterr()
    assert err == (
        "kimono-exporter: --tenant: no tenant has the id or name 'Sprinfield Elementary', nor does it match one; did "
        "you mean 'Springfield Elementary'?\n"
    )
    assert json.loads(out)["tenants"] == [] if form else out == ""
    assert run_command(["check", "--tenant", "zzz\x1b[2J"], environ) == 1
    err = capsys.readouterr().err
    assert "did you mean" not in err
    assert "`check --all` lists the tenants" in err
    assert "\x1b" not in err


def test_with_wrong_credentials_the_credentials_are_the_cause_and_not_the_name(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = printed(["--tenant", "x"], environ | {"KIMONO_API_KEY": "wrong"}, capsys, code=1)
    assert out.startswith("Discovery of tenants fails: the API returned HTTP 401")


# JSON


def document(
    arguments: list[str], environ: dict[str, str], capsys: pytest.CaptureFixture[str], code: int = 0
) -> dict[str, Any]:
    assert run_command(["check", "--output", "json", *arguments], environ) == code
    out, err = capsys.readouterr()
    assert err == ""
    assert out.isascii()
    assert "S3CR3T" not in out
    loaded = json.loads(out)
    assert isinstance(loaded, dict)
    return loaded


def test_json_has_every_tenant_its_failures_and_problems(
    hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    stalled, refused = hub.tenants()[:2]
    hub.rename(stalled.id, "Zürich \x1b[2J")
    hub.start_ingestion(stalled.id, started_at=hub.now() - 7.5 * 3600)
    hub.faults.add(Fault("forbidden", tenant_id=refused.id, endpoint="/tenant/state"))
    found = document([], environ, capsys, code=1)
    assert (found["format"], found["ok"], found["history"], found["account"]) == (1, False, False, None)
    assert found["counts"] == {"tenants": 30, "failing": 1, "with_problems": 1}
    assert found["discovery"]["ok"] is True
    tenants = {each["id"]: each for each in found["tenants"]}
    assert tenants.keys() == {each.id for each in hub.tenants()}
    assert tenants[stalled.id]["name"] == "Zürich \x1b[2J", "escaped in JSON, and whole"
    (problem,) = tenants[stalled.id]["problems"]
    assert (problem["kind"], problem["severity"]) == ("stalled", "critical")
    assert found["time"] - problem["since"] == pytest.approx(7.5 * 3600, abs=60)
    (failure,) = tenants[refused.id]["failures"]
    assert (failure["collector"], failure["reason"], tenants[refused.id]["ok"]) == ("state", "forbidden", False)
    assert failure["how_to_fix"].startswith("Ask the hub's administrator")
    assert not [each for each in found["tenants"] if "calls" in each]


def test_json_has_the_calls_of_a_tenant_that_was_asked_for(
    hub: Simulator, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    one = hub.tenants()[0]
    hub.faults.add(Fault("server_error", tenant_id=one.id, endpoint="/tenant/state"))
    (tenant,) = document(["--tenant", one.name], environ, capsys, code=1)["tenants"]
    state = [call for call in tenant["calls"] if call["endpoint"] == "/tenant/state"]
    assert [(call["outcome"], call["retried"]) for call in state] == [
        ("server", True),
        ("server", True),
        ("server", False),
    ]
    assert {key for call in state for key in call} == {
        *("collector", "method", "endpoint", "seconds", "status", "error", "outcome", "retried")
    }


@pytest.mark.parametrize(
    ("more", "reason"),
    [({"KIMONO_API_KEY": "wrong"}, "auth"), ({"KIMONO_API_URL": "http://127.0.0.1:1"}, "network")],
)
def test_json_is_whole_also_if_discovery_fails(
    more: dict[str, str], reason: str, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = document([], environ | more, capsys, code=1)
    assert (found["ok"], found["discovery"]["ok"], found["discovery"]["reason"]) == (False, False, reason)
    assert found["discovery"]["how_to_fix"]
    assert found["tenants"] == []


def test_the_page_about_check_names_every_member_and_shows_what_the_code_prints() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "check.md").read_text(encoding="utf-8")
    source = (Path(__file__).resolve().parents[2] / "exporter" / "check" / "document.py").read_text(encoding="utf-8")
    members = set(re.findall(r'^ +"(\w+)": ', source, re.MULTILINE)) | {"calls"}
    assert len(members) > 30
    assert not {name for name in members if f"`{name}`" not in page}


# Terminals


def on_terminal(environ: dict[str, str], columns: int = 80, **more: str) -> str:
    """What `check` writes to a terminal of so many columns."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover - another process
        command = kimono("check")
        os.execve(  # noqa: S606 - no shell
            command[0], command, {"PATH": "", "TERM": "xterm-256color", **measured(), **environ, **more}
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    written = b""
    while True:
        try:
            read = os.read(terminal, 2**16)
        except OSError:  # the program has ended
            break
        if not read:
            break
        written += read
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    os.close(terminal)
    return written.decode(errors="strict")


def test_a_terminal_gets_colours_and_a_progress_bar(hub: Simulator, environ: dict[str, str]) -> None:
    hub.faults.add(Fault("forbidden", tenant_id=hub.tenants()[0].id, endpoint="/tenant/state"))
    written = on_terminal(environ)
    assert "polls " in written
    assert "\x1b[?25l" in written
    assert written.count("\x1b[?25h") >= 1, "the cursor is shown again"
    assert "\x1b[1;31m1 tenant fails: forbidden\x1b[0m" in written
    report = written[written.rindex("\x1b[?25h") :]
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", report).splitlines()
    assert max(map(cell_len, lines)) <= 80


def test_no_color_is_respected(hub: Simulator, environ: dict[str, str]) -> None:
    hub.faults.add(Fault("forbidden", tenant_id=hub.tenants()[0].id, endpoint="/tenant/state"))
    written = on_terminal(environ, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", written)
    assert "1 tenant fails: forbidden" in written


def test_a_dumb_terminal_gets_plain_text(hub: Simulator, environ: dict[str, str]) -> None:
    hub.faults.add(Fault("forbidden", tenant_id=hub.tenants()[0].id, endpoint="/tenant/state"))
    written = on_terminal(environ, TERM="dumb")
    assert "\x1b" not in written
    assert "polls " not in written
    assert "1 tenant fails: forbidden" in written


def test_a_pipe_gets_plain_text_whatever_the_environment_says(
    hub: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("COLUMNS", "200")
    hub.faults.add(Fault("forbidden", tenant_id=hub.tenants()[0].id, endpoint="/tenant/state"))
    assert run_command(["check"], environ) == 1
    out, err = capsys.readouterr()
    assert "\x1b" not in out
    assert max(map(cell_len, out.splitlines())) <= 80
    assert err == ""


def test_another_encoding_gets_replacement_characters(hub: Simulator, environ: dict[str, str]) -> None:
    hub.rename(hub.tenants()[0].id, "Schule Zürich 東京")
    hub.faults.add(Fault("forbidden", tenant_id=hub.tenants()[0].id, endpoint="/tenant/state"))
    written = on_terminal(environ, TERM="dumb", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert written.isascii()
    assert "Schule Z?rich ??" in written
