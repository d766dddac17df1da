"""Tests that any flags and environment give settings, or lines that say what is wrong with them."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli import run_command
from exporter.settings import LEAVES
from tests.support.fuzzing.files import load_settings
from tests.support.fuzzing.inputs import SECRET
from tests.support.fuzzing.runs import fuzzed

VALUES = (
    *(
        "",
        " ",
        "0",
        "-1",
        "1",
        "0.5",
        "1e9",
        "1e999",
        "nan",
        "inf",
        "9" * 400,
        "30s",
        "1h30m",
        "5m5m",
        "1y" * 50,
        "m",
        "٣s",
    ),
    *(
        "16MiB",
        "1e3KB",
        "0B",
        "9" * 18 + "GiB",
        "true",
        "TRUE",
        "maybe",
        "a,b",
        '["a"]',
        "[[[",
        '[1, "a"]',
        "[a]*",
        ",,,",
    ),
    *(":0", ":10120", "[::]:1", "[::1:1", "a:b:c", "0.0.0.0:65536", "256.1.1.1:1", "é:1", "\u2028:1", "*:1"),
    *(
        "https://a",
        "http://a",
        "http://127.0.0.1",
        "https://",
        "https://a:99999",
        "https://S3CR3T@a",
        "https://[::1",
        "ftp://a",
    ),
    *(
        "https://a/v2/interop",
        "https://a?b",
        "//a",
        "https://é",
        "https://a\nb",
        "/nowhere",
        "/",
        ".",
        "/dev/null",
        "a\x00b",
        "x" * 5000,
    ),
    *("\ud800", "\udcff", "\x1b[31m", "debug", "json", "S3CR3T\nb", "S3CR3T", "null", "~"),
)
PATHS = st.sampled_from(sorted(LEAVES))
TEXTS = st.sampled_from(VALUES) | st.text(max_size=12)


def secretless(path: str, value: str) -> str:
    """The value as given to a setting that is no secret: what it repeats is no leak then."""
    return value if LEAVES[path].kind.secret else value.replace(SECRET, "x")


def chosen(most: int = 6) -> st.SearchStrategy[dict[str, str]]:
    """Values of a few settings by path."""
    given_values = st.dictionaries(PATHS, TEXTS, max_size=most)
    return given_values.map(lambda values: {path: secretless(path, value) for path, value in values.items()})


@fuzzed(400)
@given(chosen(), chosen(), st.sampled_from([{}, {"KIMONO_API_KEY": SECRET}]))
def test_any_flags_and_environment_are_used_or_refused(
    flags: dict[str, str], variables: dict[str, str], key: dict[str, str]
) -> None:
    environ = {LEAVES[path].env: value for path, value in variables.items()}
    load_settings(flags, {**environ, **key})


COMMANDS = (
    "run",
    "once",
    "check",
    "demo",
    "simulate",
    "healthcheck",
    "metrics",
    "assets",
    "--help",
    "--version",
    "x",
    "",
)


@fuzzed(60)
@given(st.sampled_from(COMMANDS), chosen(4), st.lists(TEXTS, max_size=2), st.lists(TEXTS, max_size=2))
def test_any_command_line_with_an_unknown_flag_exits_with_2_and_no_traceback(
    command: str, flags: dict[str, str], before: list[str], after: list[str]
) -> None:
    spelled = [f"--{path}={value}" for path, value in flags.items()]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run_command(
                [command, "--no-such-flag=S3CR3T", *before, *spelled, *after], {"KIMONO_API_KEY": SECRET}
            )
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
    assert code == (0 if "--help" in (command, *before, *after) or "-h" in (*before, *after) else code)
    assert code in (0, 2)
    assert "Traceback" not in err.getvalue()
    assert SECRET not in out.getvalue() + err.getvalue()


@pytest.mark.parametrize("path", sorted(LEAVES))
@fuzzed(20)
@given(value=TEXTS)
def test_any_value_of_each_setting_is_used_or_refused(path: str, value: str) -> None:
    load_settings({}, {LEAVES[path].env: secretless(path, value), "KIMONO_API_ALLOW_INSECURE": "true"})
