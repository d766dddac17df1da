"""Tests that log lines are plain, have one form, and hold no secret."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator

import pytest
import structlog

from exporter import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    handlers, level = logging.root.handlers, logging.root.level
    yield
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_is_logfmt(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "logfmt")
    structlog.get_logger("x").info("tenant fails", tenant="A School", reason="auth")
    line = capsys.readouterr().err
    assert line.startswith("ts=20")
    assert line.endswith('level=info msg="tenant fails" tenant="A School" reason=auth\n')


def test_a_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")
    structlog.get_logger("x").warning("grüezi", tenant="A")
    line = json.loads(capsys.readouterr().err)
    assert list(line) == ["ts", "level", "msg", "tenant"]
    assert {"msg": "grüezi", "tenant": "A", "level": "warning"}.items() <= line.items()


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("error", "logfmt")
    structlog.get_logger("x").warning("no")
    logging.getLogger("aiohttp").warning("no")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_a_hostile_name_cannot_forge_a_line_or_steer_a_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", form)
    structlog.get_logger("x").info("seen", tenant="a\nlevel=error\x1b[2J")
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "\x1b" not in line


def test_a_librarys_traceback_is_told_in_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "logfmt")
    error = ExceptionGroup("both", [ValueError("S3CR3T")])
    logging.getLogger("aiohttp.server").error("Error handling request", exc_info=error)
    line = capsys.readouterr().err
    assert "S3CR3T" not in line
    assert "Traceback" not in line
    assert "ValueError" in line


@pytest.mark.parametrize("starts", [0, 5, 50, 99], ids="the thread starts at line {}".format)
def test_a_reader_that_stalls_delays_nothing_and_is_told_what_it_missed(
    monkeypatch: pytest.MonkeyPatch, starts: int
) -> None:
    monkeypatch.setattr(logs, "_MAX_WAITING", 10)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x")
    os.set_blocking(writing, True)
    started = threading.Event()
    write_lines = logs.LogThread._write_lines
    monkeypatch.setattr(logs.LogThread, "_write_lines", lambda thread: (started.wait(30), write_lines(thread)))
    thread = logs.LogThread(writing)
    monkeypatch.setattr(logs._Output, "thread", thread)
    logs.configure("info", "json")
    log = structlog.get_logger("x")
    for number in range(100):
        if number == starts:
            started.set()
            while number and thread._lines.qsize() >= min(number, 10):  # until it has taken a line
                pass
        log.info("line", number=number)

    text = b""
    while b'"number": 0}' not in text:
        text += os.read(reading, 2**20)
    thread.drain(30)
    log.info("at last")
    thread.drain(30)
    os.set_blocking(reading, False)
    text += os.read(reading, 2**20)
    events = [json.loads(line) for line in text.lstrip(b"x").splitlines()]
    dropped = sum(event["number"] for event in events if event["msg"] == "log messages were dropped")
    assert dropped + sum(event["msg"] == "line" for event in events) == 100
    assert 80 < dropped < 100
    assert "at last" in [event["msg"] for event in events]
    os.close(reading)


def test_a_descriptor_that_is_closed_ends_nothing() -> None:
    thread = logs.LogThread(10_000)
    thread.write("a\n")
    thread.drain(30)
    assert not thread._lines.unfinished_tasks
