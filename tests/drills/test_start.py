"""Tests the start of a demo with drills: wrong names, and a signal while it prepares."""

from __future__ import annotations

import errno
import os
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

from exporter.cli import main
from tests.support.processes import eventually, free_port, kimono, running

DEMO = ("demo", "--story", "none", "--exporter-only", "--web.listen_address=127.0.0.1:0", "--tenants", "200")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--story", "stald"], "kimono-exporter: --story: there is no such drill; did you mean stalled?\n"),
        (["--story", "none", "--story", "KimonoShardMissing"], "no shards"),
        (["--drills-port", "70000"], "it is not a port"),
        (
            ["--story", "stalled", "--tenants", "9"],
            "kimono-exporter: --tenants: drills need at least 10 tenants\n",
        ),
        (["--story", "none", "--tenants", "1"], "kimono-exporter: --tenants: drills need at least 10 tenants\n"),
    ],
)
def test_what_can_not_be_used_is_an_error(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", *arguments], {}) == 2
    assert error in capsys.readouterr().err


def test_a_port_that_may_not_be_bound_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for a port below 1024, without being root."""
    port = free_port()
    bind = socket.socket.bind

    def refuse(self: socket.socket, address: Any) -> None:
        if address[1] == port:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        bind(self, address)

    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert main([*DEMO, "--drills-port", str(port)], {}) == 2
    why = f"--drills-port: can't listen on 127.0.0.1:{port}: Permission denied; set a free one, such as 10136"
    assert capsys.readouterr() == ("", f"kimono-exporter: {why}\n")


def test_without_a_temporary_folder_an_error_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a root file system that is read-only."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "mkdir", refuse)
    assert main([*DEMO, "--drills-port", str(free_port())], {}) == 2
    error = capsys.readouterr().err
    assert error.startswith("kimono-exporter: --story: can't make a temporary folder: No usable temporary directory")
    assert error.endswith("; set TMPDIR to a folder that can be written\n")
    assert error.count("\n") == 1


def test_a_signal_while_the_demo_prepares_ends_it_and_leaves_no_file(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with running(kimono(*DEMO), {"TMPDIR": str(temporary)}, tmp_path / "demo") as process:
        eventually(lambda: list(temporary.iterdir()))
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.errors == ""
    assert list(temporary.iterdir()) == []
