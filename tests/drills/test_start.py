"""Tests the start of a demo with drills: wrong names, and a signal while it prepares."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from exporter.cli import main
from tests.support.processes import eventually, kimono, running

DEMO = ("demo", "--story", "none", "--exporter-only", "--web.listen_address=127.0.0.1:0", "--tenants", "200")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--story", "stald"], "kimono-exporter: --story: there is no such drill; did you mean stalled?\n"),
        (["--story", "none", "--story", "KimonoShardMissing"], "no shards"),
        (["--drills-port", "70000"], "it is not a port"),
    ],
)
def test_what_can_not_be_used_is_an_error(arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", *arguments], {}) == 2
    assert error in capsys.readouterr().err


def test_a_signal_while_the_demo_prepares_ends_it_and_leaves_no_file(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with running(kimono(*DEMO), {"TMPDIR": str(temporary)}, tmp_path / "demo") as process:
        eventually(lambda: list(temporary.iterdir()))
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.errors == ""
    assert list(temporary.iterdir()) == []
