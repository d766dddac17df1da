"""Tests that every problem with the settings gets a line that helps and shows no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.settings import LEAVES, SettingsError, load
from exporter.settings.errors import Problem
from tests.support.settings import KEY, SECRET, only_problem, problems_of, write

# The URL


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8080", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:80", "https://api.example"],
)
def test_http_is_accepted_for_this_machine(url: str) -> None:
    assert load({"api.url": f"{url}/"}, KEY).api.url == url


def test_http_to_another_host_must_be_allowed() -> None:
    flags = {"api.url": "http://api.example"}
    line = only_problem(flags, KEY)

    assert line.startswith("api.url: http would send credentials unprotected")
    assert load(flags | {"api.allow_insecure": "yes"}, KEY).api.url == "http://api.example"
    assert only_problem(flags | {"api.allow_insecure": "perhaps"}, KEY).startswith("api.allow_insecure: ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x", "the value is not an http(s) URL"),
        ("api.example", "the value is not an http(s) URL"),
        ("", "the value is not an http(s) URL"),
        ("https://", "is not an http(s) URL"),
        ("https://x:99999", "is not an http(s) URL"),
        ("https://x:no", "is not an http(s) URL"),
        ("https://[x", "is not an http(s) URL"),
        ("https://a b", "is not an http(s) URL"),
        ("https://a\nb", "is not an http(s) URL"),
        (f"https://me:{SECRET}@x", "must not hold a user name or a password"),
        (f"me:{SECRET}@x", "must not hold a user name or a password"),
        (f"https://x?token={SECRET}", "must not have a query"),
        (f"https://x#{SECRET}", "must not have a query"),
        ("https://x/v2/interop", "must not have /v2/interop in it"),
        ("https://x/v2/interop/", "must not have /v2/interop in it"),
    ],
)
def test_an_unusable_url_is_refused_with_the_reason(url: str, said: str) -> None:
    line = only_problem({}, KEY | {"KIMONO_API_URL": url})

    assert line.startswith("api.url: ")
    assert said in line
    assert line.endswith("(given by KIMONO_API_URL); set --api.url, KIMONO_API_URL or api.url in the file")


# Error lines


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("api.timeout", "soon", "the value is not a duration such as 90, 30s, 5m or 1h30m"),
        ("api.timeout", "0", "the value must be more than 0"),
        ("api.rate_limit", "0", "the value is not a number above 0"),
        ("api.rate_limit", "nan", "the value is not a number above 0"),
        ("api.rate_limit", "many", "the value is not a number above 0"),
        ("api.concurrency", "0", "the value is not a whole number of at least 1"),
        ("api.concurrency", "1.5", "the value is not a whole number of at least 1"),
        ("api.max_response_bytes", "big", "the value is not a size such as"),
        ("collectors.state.enabled", "maybe", "the value is not true or false"),
        ("discovery.include", '["a"', "begins like a JSON list and is not one"),
        ("log.level", "loud", "the value is not debug, info, warning or error"),
        ("log.format", "xml", "the value is not logfmt or json"),
        ("polling.strategy", "fast", "the value is not priority or plain"),
    ],
)
def test_a_wrong_value_is_named_with_its_origin_and_the_ways_to_set_it(path: str, value: str, said: str) -> None:
    leaf = next(leaf for leaf in LEAVES.values() if leaf.path == path)
    ways = f"set {leaf.flag}, {leaf.env} or {path} in the file"

    line = only_problem({path: value}, KEY)
    assert line.startswith(f"{path}: ")
    assert said in line
    assert line.endswith(f"(given by {leaf.flag}); {ways}")
    assert only_problem({}, KEY | {leaf.env: value}).endswith(f"(given by {leaf.env}); {ways}")


def test_of_two_places_the_one_that_won_is_named() -> None:
    line = only_problem({"api.timeout": "soon"}, KEY | {"KIMONO_API_TIMEOUT": "later"})

    assert line.startswith("api.timeout: the value is not")
    assert "(given by --api.timeout)" in line


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    file = write(tmp_path / "kimono.yaml", {"api": {"concurency": 1, "timeout": "soon"}, "log": 3})
    flags = {"config.file": file, "log.format": "xml", "api.url": "http://api.example", "api.key": ""}
    lines = problems_of(flags, {"KIMONO_COLLECTORS_STATE_INTERVAL": "never"})

    assert [line.partition(":")[0] for line in lines] == [
        "api.key",
        "api.concurency",
        "log",
        "api.timeout",
        "collectors.state.interval",
        "log.format",
        "api.url",
    ]


def test_wrong_values_do_not_hide_missing_credentials() -> None:
    lines = problems_of({"api.timeout": "soon"})

    assert [line.partition(":")[0] for line in lines] == ["api.timeout", "api"]


def test_a_long_value_is_not_shown() -> None:
    line = only_problem({"api.timeout": "x\n" * 500}, KEY)

    assert len(line) < 300


# Whatever the input


def outcome(environ: dict[str, str]) -> tuple[str, set[str]]:
    """All that may be shown of these settings, and the settings that have a problem."""
    try:
        return repr(load({}, environ)), set()
    except SettingsError as error:
        return str(error) + repr(error), {problem.setting for problem in error.problems}


@given(
    st.dictionaries(
        st.sampled_from([leaf.env for leaf in LEAVES.values() if not leaf.env.endswith("_FILE")]),
        st.text(max_size=30).filter(lambda text: "\0" not in text).map(lambda text: text + SECRET),
    )
)
def test_any_environment_gives_settings_or_lines_that_name_settings_and_show_no_secret(environ: dict[str, str]) -> None:
    secret_variables = {leaf.env for leaf in LEAVES.values() if leaf.kind.secret}
    kept = {env: value if env in secret_variables else "x" for env, value in environ.items()}
    shown, settings_named = outcome(kept)

    assert SECRET not in shown
    assert settings_named <= {leaf.path for leaf in LEAVES.values()} | {"api"}


DOCUMENT_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=5,
)
NAMES = sorted({name for leaf in LEAVES.values() for name in leaf.path.split(".")} - {"file"})


@given(
    st.dictionaries(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(NAMES), DOCUMENT_VALUES) | DOCUMENT_VALUES)
)
def test_any_yaml_gives_settings_or_problems(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, object]
) -> None:
    file = write(tmp_path_factory.getbasetemp() / "any.yaml", document)
    problems: tuple[Problem, ...] = ()
    try:
        load({"config.file": file}, {}, needs_credentials=False)
    except SettingsError as error:
        problems = error.problems

    assert all(len(str(problem).splitlines()) == 1 for problem in problems)
