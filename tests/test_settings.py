"""Do settings come from where they should, and does every mistake get a line that helps and leaks nothing?"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from exporter.settings import (
    Api,
    Collectors,
    Leaf,
    Problem,
    SecretUnreadableError,
    Settings,
    SettingsError,
    Web,
    add_flags,
    given_flags,
    leaves,
    load,
    parse_boolean,
    parse_duration,
    parse_list,
    parse_size,
    read_tenants_file,
    split_address,
)

DOCS = Path(__file__).resolve().parents[1] / "docs"
SECRET = "hunter2-do-not-show"
KEY = {"KIMONO_API_KEY": SECRET}


def problems_of(
    flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None, *, needs_credentials: bool = True
) -> list[str]:
    """The error lines for these settings; a secret in any of them fails the test."""
    with pytest.raises(SettingsError) as caught:
        load(flags or {}, environ or {}, needs_credentials=needs_credentials)
    lines = str(caught.value).splitlines()
    assert lines == [str(problem) for problem in caught.value.problems]
    assert SECRET not in repr(caught.value) + str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return lines


def only_problem(
    flags: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None, *, needs_credentials: bool = True
) -> str:
    lines = problems_of(flags, environ, needs_credentials=needs_credentials)
    assert len(lines) == 1, lines
    return lines[0]


def write(path: Path, content: object) -> str:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def parsed_flags(*arguments: str) -> dict[str, str]:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)
    return given_flags(parser.parse_args(arguments))


# Where settings come from


def test_without_anything_set_the_defaults_are_those_of_the_contract() -> None:
    settings = load({}, KEY)

    assert settings.api.url == "https://api.us2.kimonocloud.com"
    assert (settings.api.rate_limit, settings.api.concurrency, settings.api.timeout) == (20.0, 20, 30.0)
    assert settings.api.max_response_bytes == 16 * 1024 * 1024
    assert settings.discovery.interval == 300.0
    collectors = {name: (one.enabled, one.interval) for name, one in settings.collectors}
    assert collectors == {
        "state": (True, 60.0),
        "ingestions": (True, 60.0),
        "schedules": (True, 300.0),
        "rollovers": (True, 900.0),
        "application": (True, 300.0),
        "scoping": (False, 3600.0),
        "account": (False, 3600.0),
    }
    assert settings.web.listen() == ("0.0.0.0", 10120)  # noqa: S104 - the contract's default
    assert (settings.log.level, settings.log.format) == ("info", "logfmt")
    assert settings.warnings == ()


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    api = {"key": SECRET, "timeout": "1s", "rate_limit": 1, "concurrency": 1}
    file = write(tmp_path / "kimono.yaml", {"api": api})
    environ = {"KIMONO_API_TIMEOUT": "2s", "KIMONO_API_RATE_LIMIT": "2"}
    settings = load({"config.file": file, "api.timeout": "3s"}, environ)

    assert (settings.api.timeout, settings.api.rate_limit, settings.api.concurrency) == (3.0, 2.0, 1)
    assert settings.api.secret("key") == SECRET
    assert settings.config.file == Path(file)


def sample_of(leaf: Leaf) -> str:
    """Text that is valid for a leaf and not its default."""
    by_path = {"api.url": "https://other.example", "web.listen_address": ":1", "log.level": "debug"}
    by_path["log.format"] = "json"
    by_kind = {"duration": "77s", "size": "77KiB", "list": "a,b", "number": "77", "path": "some.file", "text": "words"}
    by_kind["boolean"] = "false" if leaf.default == "true" else "true"
    return by_path.get(leaf.path) or by_kind[leaf.kind]


def value_at(settings: Settings, path: str) -> Any:
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


SETTABLE = [leaf for leaf in leaves() if leaf.path != "config.file"]


@pytest.mark.parametrize("leaf", SETTABLE, ids=lambda leaf: leaf.path)
def test_each_setting_can_be_set_in_every_place_that_takes_it_and_comes_out_the_same(
    leaf: Leaf, tmp_path: Path
) -> None:
    sample = sample_of(leaf)
    section, _, name = leaf.path.rpartition(".")
    document: dict[str, Any] = {name: sample}
    for part in reversed(section.split(".")):
        document = {part: document}
    file = write(tmp_path / "kimono.yaml", document)

    results = [load({}, {leaf.env: sample}, needs_credentials=False)]
    results.append(load({}, {"KIMONO_CONFIG_FILE": file}, needs_credentials=False))
    if leaf.flag:
        results.append(load(parsed_flags(f"{leaf.flag}={sample}"), {}, needs_credentials=False))
    values = [value_at(settings, leaf.path) for settings in results]

    assert values == [values[0]] * len(values)
    assert values[0] != value_at(Settings(), leaf.path)


def test_names_follow_from_the_path() -> None:
    named = {leaf.path: leaf for leaf in leaves()}

    assert len(named) == len(leaves())
    assert named["collectors.state.interval"].flag == "--collectors.state.interval"
    assert named["collectors.state.interval"].env == "KIMONO_COLLECTORS_STATE_INTERVAL"
    assert named["api.rate_limit"].env == "KIMONO_API_RATE_LIMIT"
    assert len({leaf.env for leaf in leaves()}) == len(leaves())
    assert {leaf.path for leaf in leaves() if leaf.secret} == {"api.key", "api.client_secret", "api.token"}
    assert all((leaf.flag is None) == leaf.secret for leaf in leaves())


def test_every_secret_has_a_file_twin() -> None:
    paths = {leaf.path for leaf in leaves()}

    assert all(f"{leaf.path}_file" in paths for leaf in leaves() if leaf.secret)


def test_every_default_as_documented_gives_the_default_itself() -> None:
    environ = {leaf.env: leaf.default for leaf in leaves() if leaf.default}

    assert load({}, environ, needs_credentials=False) == Settings()


def test_settings_made_in_code_read_nothing_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIMONO_API_TIMEOUT", "7")
    monkeypatch.setenv("API", '{"timeout": 7}')

    assert Settings().api.timeout == 30.0
    assert Settings(web=Web(listen_address=":0")).web.listen() == (None, 0)


def test_settings_can_not_be_changed_or_extended() -> None:
    with pytest.raises(ValidationError):
        Settings().api.url = "https://other.example"
    with pytest.raises(ValidationError):
        Settings.model_validate({"nonsense": 1})
    with pytest.raises(ValidationError):
        Api.model_validate({"nonsense": 1})


def test_an_unknown_variable_is_a_warning_without_its_value() -> None:
    environ = KEY | {"KIMONO_API_KEYY": SECRET, "KIMONO_PORT_10120_TCP_PROTO": "tcp", "OTHER": "1"}
    warnings = load({}, environ).warnings

    assert warnings[0] == "KIMONO_API_KEYY: ignored, as there is no such setting; did you mean KIMONO_API_KEY?"
    assert warnings[1].startswith("KIMONO_PORT_10120_TCP_PROTO: ignored")
    assert len(warnings) == 2


def test_variables_of_a_service_that_is_named_after_the_program_are_passed_over() -> None:
    environ = KEY | {"KIMONO_EXPORTER_SERVICE_HOST": "10.0.0.1", "KIMONO_EXPORTER_PORT": "tcp://x"}
    assert load({}, environ).warnings == ()


@pytest.mark.parametrize("text", ["api: {timeout: 5s}\napi: {timeout: 6s}\n", "api:\n  timeout: 5s\n  timeout: 5s\n"])
def test_a_key_that_stands_twice_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    line = only_problem({"config.file": str(tmp_path / "config.yaml")})
    assert "a key stands twice at line" in line


# Flags


def test_a_boolean_flag_alone_means_true_and_takes_a_value_with_an_equals_sign() -> None:
    assert parsed_flags("--collectors.scoping.enabled") == {"collectors.scoping.enabled": "true"}
    assert parsed_flags("--collectors.state.enabled=false") == {"collectors.state.enabled": "false"}


def test_flags_not_given_leave_nothing_and_other_arguments_are_left_out() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--tenants", default=3)
    add_flags(parser)

    assert given_flags(parser.parse_args(["--log.level", "debug"])) == {"log.level": "debug"}


@pytest.mark.parametrize("arguments", [[f"--api.key={SECRET}"], ["--api.key", SECRET], ["--api.key"]])
def test_a_secret_as_a_flag_is_refused_and_forgotten(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    flags = parsed_flags(*arguments)

    assert SECRET not in repr(flags)
    assert only_problem(flags) == (
        "api.key: a secret is not accepted as a flag, as others could see it; use KIMONO_API_KEY or --api.key_file"
    )
    assert SECRET not in "".join(capsys.readouterr())


def test_a_secret_handed_to_load_as_a_flag_is_refused_as_well() -> None:
    assert only_problem({"api.token": SECRET}, KEY).startswith("api.token: a secret is not accepted as a flag")


def test_help_shows_every_flag_with_its_variable_and_default_and_no_secret() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)
    words = parser.format_help().split()
    text = " ".join(words)

    for leaf in leaves():
        assert (f"--{leaf.path}" in words) == (not leaf.secret)
        assert leaf.secret or leaf.env in text
        assert not leaf.default or f"default {leaf.default}" in text
    assert text.isascii()


# Values


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0.5", 0.5),
        (".5", 0.5),
        (90, 90),
        (0.25, 0.25),
        ("30s", 30),
        (" 5m ", 300),
        ("1h30m", 5400),
        ("1d", 86400),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("1y1w1d1h1m1s1ms", 31_536_000 + 604_800 + 86_400 + 3600 + 60 + 1 + 0.001),
    ],
)
def test_durations_are_seconds_or_what_prometheus_writes(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0",
        "0s",
        "-1",
        "-5m",
        "nan",
        "inf",
        "1e3",
        "1.5h",
        "30m1h",
        "5 m",
        "1_0",
        "٣s",
        "9" * 400,
        "s",
        "9" * 400 + "s",
        True,
        None,
        0,
        -1,
        math.nan,
        math.inf,
        10**400,
        [1],
        {"s": 1},
    ],
)
def test_what_is_not_a_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"not a duration such as|must be more than 0"):
        parse_duration(text)


UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}


@given(st.dictionaries(st.sampled_from(list(UNITS)), st.integers(1, 10_000), min_size=1))
def test_any_units_in_prometheus_order_add_up(amounts: dict[str, int]) -> None:
    text = "".join(f"{amounts[unit]}{unit}" for unit in UNITS if unit in amounts)

    assert parse_duration(text) == pytest.approx(sum(amount * UNITS[unit] for unit, amount in amounts.items()))


@given(st.text() | st.floats() | st.integers() | st.from_regex(r"[0-9]{1,4}(y|w|d|h|m|s|ms){0,3}"))
def test_any_duration_is_finite_and_above_zero_or_refused(value: object) -> None:
    try:
        seconds = parse_duration(value)
    except ValueError:
        return
    assert 0 < seconds < math.inf


@given(st.text() | st.lists(st.text() | st.integers()))
def test_any_list_is_trimmed_texts_or_refused(value: object) -> None:
    try:
        items = parse_list(value)
    except ValueError:
        return
    assert all(item and item == item.strip() for item in items)


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool)))
def test_a_list_survives_json_and_yaml(items: list[str]) -> None:
    assert parse_list(json.dumps(items)) == tuple(items)
    assert parse_list(items) == tuple(items)


@given(st.text())
def test_any_address_gives_a_port_in_range_or_is_refused(text: str) -> None:
    try:
        host, port = split_address(text)
    except ValueError:
        return
    assert host is None or host
    assert 0 <= port <= 65_535


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("16777216", 2**24),
        (16777216, 2**24),
        ("16MiB", 2**24),
        ("10MB", 10**7),
        ("512KiB", 2**19),
        ("1 gib", 2**30),
        ("7B", 7),
        ("3kb", 3000),
        ("2GB", 2 * 10**9),
    ],
)
def test_sizes_are_bytes_with_or_without_a_unit(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "0MiB", "-1", "1.5MiB", "MiB", "16Mi", "16TiB", "nan", True, None, 1.5, [1]])
def test_what_is_not_a_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"not a size|must be more than 0"):
        parse_size(text)


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("a,b", ("a", "b")),
        (" a , b ,", ("a", "b")),
        ("", ()),
        ('["a", "b,c"]', ("a", "b,c")),
        ("[]", ()),
        (["a", " b "], ("a", "b")),
        ("[ab]*,c", ("[ab]*", "c")),
        ("one", ("one",)),
    ],
)
def test_lists_are_comma_separated_json_or_yaml(value: object, items: tuple[str, ...]) -> None:
    assert parse_list(value) == items


@pytest.mark.parametrize("value", ['["a"', "[1, 2]", [1], 7, None, {"a": 1}, True])
def test_what_is_not_a_list_of_texts_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"not a list|not text|is not one"):
        parse_list(value)


def test_booleans_are_the_usual_words() -> None:
    assert all(parse_boolean(value) for value in ("true", "True", " yes ", "on", "1", 1, True))
    assert not any(parse_boolean(value) for value in ("false", "NO", "off", "0", 0, False))
    for value in ("", "maybe", 2, None, [True], 1.0):
        with pytest.raises(ValueError, match="not true or false"):
            parse_boolean(value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:10120", ("0.0.0.0", 10120)),  # noqa: S104 - the contract's default
        (":10120", (None, 10120)),
        ("[::]:10120", (None, 10120)),
        ("[::1]:9", ("::1", 9)),
        ("localhost:0", ("localhost", 0)),
        ("host-1.example.org:65535", ("host-1.example.org", 65535)),
    ],
)
def test_listen_addresses_are_read(text: str, address: tuple[str | None, int]) -> None:
    settings = load({"web.listen_address": text}, KEY)

    assert settings.web.listen() == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("::1:10120", "an IPv6 address needs brackets"),
        ("fe80::1:10120", "an IPv6 address needs brackets"),
        ("10120", "no port between 0 and 65535"),
        ("localhost", "no port between 0 and 65535"),
        ("localhost:http", "no port between 0 and 65535"),
        (":65536", "no port between 0 and 65535"),
        (":-1", "no port between 0 and 65535"),
        ("[127.0.0.1]:1", "no IPv6 address in its brackets"),
        ("300.1.1.1:1", "no host name or IP address"),
        ("a b:1", "no host name or IP address"),
        ("http://x:1", "an IPv6 address needs brackets"),
        ("", "is not an address such as"),
    ],
)
def test_what_is_no_listen_address_is_refused_with_the_reason(text: str, said: str) -> None:
    line = only_problem({"web.listen_address": text}, KEY)

    assert line.startswith("web.listen_address: ")
    assert said in line
    assert line.endswith("set --web.listen_address, KIMONO_WEB_LISTEN_ADDRESS or web.listen_address in the file")


def test_words_are_read_whatever_their_case() -> None:
    settings = load({"log.level": "WARN", "log.format": "Json"}, KEY)

    assert (settings.log.level, settings.log.format) == ("warning", "json")


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

    assert line.startswith("api.url: 'http://api.example': http would send credentials unprotected")
    assert load(flags | {"api.allow_insecure": "yes"}, KEY).api.url == "http://api.example"
    assert only_problem(flags | {"api.allow_insecure": "perhaps"}, KEY).startswith("api.allow_insecure: ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x", "'ftp://x' is not an http(s) URL"),
        ("api.example", "'api.example' is not an http(s) URL"),
        ("", "'' is not an http(s) URL"),
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
        ("api.timeout", "soon", "'soon' is not a duration such as 90, 30s, 5m or 1h30m"),
        ("api.timeout", "0", "'0' must be more than 0"),
        ("api.rate_limit", "0", "'0' is not a number above 0"),
        ("api.rate_limit", "nan", "'nan' is not a number above 0"),
        ("api.rate_limit", "many", "'many' is not a number above 0"),
        ("api.concurrency", "0", "'0' is not a whole number of at least 1"),
        ("api.concurrency", "1.5", "'1.5' is not a whole number of at least 1"),
        ("api.max_response_bytes", "big", "'big' is not a size such as"),
        ("collectors.state.enabled", "maybe", "'maybe' is not true or false"),
        ("discovery.include", '["a"', "begins like a JSON list and is not one"),
        ("log.level", "loud", "'loud' is not debug, info, warning or error"),
        ("log.format", "xml", "'xml' is not logfmt or json"),
    ],
)
def test_a_wrong_value_is_named_with_its_origin_and_the_ways_to_set_it(path: str, value: str, said: str) -> None:
    leaf = next(leaf for leaf in leaves() if leaf.path == path)
    ways = f"set {leaf.flag}, {leaf.env} or {path} in the file"

    line = only_problem({path: value}, KEY)
    assert line.startswith(f"{path}: ")
    assert said in line
    assert line.endswith(f"(given by {leaf.flag}); {ways}")
    assert only_problem({}, KEY | {leaf.env: value}).endswith(f"(given by {leaf.env}); {ways}")


def test_of_two_places_the_one_that_won_is_named() -> None:
    line = only_problem({"api.timeout": "soon"}, KEY | {"KIMONO_API_TIMEOUT": "later"})

    assert line.startswith("api.timeout: 'soon' is not")
    assert "(given by --api.timeout)" in line


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
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


def test_a_long_value_is_cut_and_stays_on_one_line() -> None:
    line = only_problem({"api.timeout": "x\n" * 500}, KEY)

    assert len(line) < 300


# The file


def test_a_value_of_a_wrong_type_in_the_file_is_named_and_never_a_secret(tmp_path: Path) -> None:
    api = {"key": 12345678, "client_id": 5, "timeout": [3], "token": {"a": SECRET}, "key_file": {"key": SECRET}}
    file = write(tmp_path / "kimono.yaml", {"api": api, "discovery": {"include": [1]}})
    lines = problems_of({"config.file": file})

    assert [line.partition(";")[0] for line in lines] == [
        "api.key: is not text: put it in quotes (given by the file)",
        "api.key_file: a mapping is not text: put it in quotes (given by the file)",
        "api.client_id: 5 is not text: put it in quotes (given by the file)",
        "api.token: is not text: put it in quotes (given by the file)",
        "api.timeout: a list is not a duration such as 90, 30s, 5m or 1h30m (given by the file)",
        "discovery.include: the element 1 is not text: put it in quotes (given by the file)",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"api": {"kee": SECRET}}, "api.kee: there is no such setting, but the file has it; did you mean api.key?"),
        ({"webb": {}}, "webb: there is no such setting, but the file has it"),
        ({1: 2}, "1: there is no such setting, but the file has it"),
        ({"warnings": ["x"]}, "warnings: there is no such setting, but the file has it"),
        ({"layers": ["x"]}, "layers: there is no such setting, but the file has it"),
        ({"api.token": SECRET}, "api.token: is not found under one key: write token in a mapping below api"),
        ({"api": 3}, "api: is a section: it must hold a mapping of settings"),
        ({"collectors": {"state": True}}, "collectors.state: is a section: it must hold a mapping of settings"),
        (
            {"config": {"file": "x"}},
            "config.file: can't be set in the file that it names; set --config.file or KIMONO_CONFIG_FILE",
        ),
    ],
)
def test_what_does_not_belong_in_the_file_is_named(content: object, line: str, tmp_path: Path) -> None:
    file = write(tmp_path / "kimono.yaml", content)

    assert only_problem({"config.file": file}, KEY) == line


@pytest.mark.parametrize("content", ["", "# nothing\n", "api:\n", "api:\n  timeout:\ncollectors:\n  state:\n"])
def test_a_key_with_nothing_behind_it_is_left_out(content: str, tmp_path: Path) -> None:
    file = write(tmp_path / "kimono.yaml", content)

    assert load({"config.file": file}, KEY).api == load({}, KEY).api


def test_a_file_that_is_not_there_is_told_once_without_asking_for_credentials(tmp_path: Path) -> None:
    line = only_problem({"config.file": str(tmp_path / "none.yaml")})

    assert line.startswith("config.file: can't read '")
    assert line.endswith("none.yaml': No such file or directory; set --config.file or KIMONO_CONFIG_FILE")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"api:\n  key: *{SECRET}\n", "it is not YAML at line 2, column 8"),
        (f"api:\n  key: {SECRET}\n  token: a: b\n", "it is not YAML at line 3, column 11"),
        (f"api: !{SECRET} x\n", "it is not YAML at line 1, column 6"),
        (f"api: {SECRET}\n\tkey: x\n", "it is not YAML at line 2"),
        ("api: 2024-99-99\n", "it is not YAML"),
        (f"{SECRET}\x00", "it is not YAML"),
        ("[" * 5000, "it is not YAML"),
        (f"- {SECRET}\n", "is not a YAML mapping of sections"),
        (SECRET, "is not a YAML mapping of sections"),
    ],
)
def test_a_file_that_is_not_yaml_is_refused_by_place_alone(content: str, said: str, tmp_path: Path) -> None:
    file = write(tmp_path / "kimono.yaml", content)
    line = only_problem({"config.file": file}, KEY)

    assert line.startswith("config.file: ")
    assert said in line


def test_a_file_of_other_bytes_is_refused_without_showing_them(tmp_path: Path) -> None:
    file = tmp_path / "kimono.yaml"
    file.write_bytes(b"api: \xff" + SECRET.encode())

    assert "it is not UTF-8 text" in only_problem({"config.file": str(file)}, KEY)


def test_a_path_that_can_not_be_one_is_told_once() -> None:
    assert only_problem({"config.file": "a\0b"}, KEY).startswith("config.file: 'a\\x00b' is not a path")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "Is a directory" in only_problem({"config.file": str(tmp_path)}, KEY)


# Credentials


@pytest.mark.parametrize(
    "environ",
    [
        {"KIMONO_API_KEY": SECRET},
        {"KIMONO_API_TOKEN": SECRET},
        {"KIMONO_API_CLIENT_ID": "me", "KIMONO_API_CLIENT_SECRET": SECRET},
        {"KIMONO_API_KEY": SECRET, "KIMONO_API_TOKEN": "", "KIMONO_API_CLIENT_ID": " ", "KIMONO_API_KEY_FILE": ""},
    ],
)
def test_one_kind_of_credentials_is_enough_and_never_shown(environ: dict[str, str]) -> None:
    settings = load({}, environ)

    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()
    given = [settings.api.secret("key"), settings.api.secret("token"), settings.api.secret("client_secret")]
    assert [secret for secret in given if secret] == [SECRET]


def test_an_empty_secret_variable_leaves_that_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "kimono.yaml", {"api": {"key": SECRET}})

    assert load({"config.file": file}, {"KIMONO_API_KEY": ""}).api.secret("key") == SECRET


def test_a_blank_secret_in_the_file_is_not_set(tmp_path: Path) -> None:
    file = write(tmp_path / "kimono.yaml", {"api": {"key": " ", "token": SECRET}})

    assert load({"config.file": file}, {}).api.key is None


def test_without_credentials_the_line_lists_every_way() -> None:
    for environ in ({}, {"KIMONO_API_KEY": ""}, {"KIMONO_API_KEY": " \n"}):
        line = only_problem({}, environ)
        ways = ("KIMONO_API_KEY", "--api.key_file", "--api.client_id", "KIMONO_API_CLIENT_SECRET", "KIMONO_API_TOKEN")
        assert all(way in line for way in (*ways, "--api.tenants_file", "`kimono-exporter demo` needs none"))


def test_where_credentials_are_not_needed_they_are_not_looked_at(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    load({}, {}, needs_credentials=False)
    load({"api.key_file": missing, "api.tenants_file": missing}, KEY, needs_credentials=False)

    assert only_problem({"api.timeout": "soon"}, needs_credentials=False).startswith("api.timeout: ")


def test_two_kinds_are_refused_by_name(tmp_path: Path) -> None:
    token_file = write(tmp_path / "token", SECRET)
    line = only_problem({"api.token_file": token_file}, KEY)

    assert line == (
        "api: more than one kind of credentials is set: an API key (api.key) and a bearer token (api.token_file);"
        " keep one and unset the others"
    )


@pytest.mark.parametrize("name", ["key", "token", "client_secret"])
def test_a_secret_and_its_file_are_refused_together(name: str, tmp_path: Path) -> None:
    flags = {f"api.{name}_file": write(tmp_path / "secret", SECRET)}
    flags |= {"api.client_id": "me"} if name == "client_secret" else {}
    line = only_problem(flags, {f"KIMONO_API_{name.upper()}": SECRET})

    assert line == f"api.{name}: both api.{name} and api.{name}_file are set; keep one and unset the other"


def test_half_an_oauth2_client_is_refused(tmp_path: Path) -> None:
    assert only_problem({"api.client_id": "me"}) == (
        "api.client_secret: is not set, but api.client_id is; set KIMONO_API_CLIENT_SECRET,"
        " --api.client_secret_file or api.client_secret in the file"
    )
    ways = "set --api.client_id, KIMONO_API_CLIENT_ID or api.client_id in the file"
    assert only_problem({}, {"KIMONO_API_CLIENT_SECRET": SECRET}) == (
        f"api.client_id: is not set, but api.client_secret is; {ways}"
    )
    file = write(tmp_path / "secret", SECRET)
    assert only_problem({"api.client_secret_file": file}) == (
        f"api.client_id: is not set, but api.client_secret_file is; {ways}"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", "it is empty"),
        (b" \n\n", "it is empty"),
        (b"\xff" + SECRET.encode(), "it is not UTF-8 text"),
        (f"{SECRET}\n{SECRET}\n".encode(), "it has more than one line"),
    ],
)
def test_a_secret_file_that_can_not_be_used_is_named_with_the_reason(
    content: bytes | None, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    line = only_problem({"api.key_file": str(file)})

    assert line.startswith(f"api.key_file: can't read '{file}': {reason}")
    assert line.endswith("; set --api.key_file, KIMONO_API_KEY_FILE or api.key_file in the file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_secret_file_without_permission_is_named(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET, encoding="utf-8")
    file.chmod(0)

    assert "Permission denied" in only_problem({"api.key_file": str(file)})


def test_a_secret_in_a_file_is_read_at_each_use_so_that_rotation_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"\ufeff{SECRET}\r\n", encoding="utf-8")
    api = load({"api.key_file": str(file)}, {}).api
    assert api.secret("key") == SECRET

    file.write_text("rotated", encoding="utf-8")
    assert api.secret("key") == "rotated"

    file.unlink()
    with pytest.raises(SecretUnreadableError, match="No such file") as caught:
        api.secret("key")
    assert caught.value.path == file


def test_a_secret_with_a_line_break_is_refused() -> None:
    assert only_problem({}, {"KIMONO_API_KEY": f"{SECRET}\nmore"}).startswith("api.key: holds a line break")
    assert load({}, {"KIMONO_API_KEY": f"{SECRET}\n"}).api.secret("key") == SECRET
    assert Api(key=SecretStr(SECRET)).secret("key") == SECRET


# The tenants file


def test_a_tenants_file_gives_credentials_in_order(tmp_path: Path) -> None:
    write(tmp_path / "south.secret", "south-secret\n")
    entries = [
        {"name": "North", "client_id": "n", "client_secret": SECRET},
        {"client_id": "s", "client_secret_file": "south.secret", "type": "basic", "name": None},
    ]
    file = write(tmp_path / "tenants.yaml", entries)
    north, south = read_tenants_file(Path(file))

    assert (north.name, north.kind, north.client_id, north.client_secret) == ("North", "oauth2", "n", SECRET)
    assert (south.name, south.kind, south.client_id) == ("entry 2", "basic", "s")
    assert south.client_secret == "south-secret"
    assert SECRET not in repr(north)
    assert load({"api.tenants_file": file}, {}).api.tenants_file == Path(file)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (SECRET, ": it must be a mapping"),
        ({"client_id": "a"}, ": exactly one of client_secret and client_secret_file must be set"),
        ({"client_id": "a", "client_secret": ""}, ": exactly one of client_secret"),
        ({"client_id": "a", "client_secret": SECRET, "client_secret_file": "b"}, ": exactly one of client_secret"),
        ({"name": "West", "client_secret": SECRET}, " (West): client_id is missing"),
        ({"client_id": "a", "client_secret": 12345}, ": client_secret is not text: put it in quotes"),
        ({"client_id": "a", "client_secret": f"{SECRET}\nx"}, ": client_secret holds a line break"),
        ({"client_id": "a", "client_secret": SECRET, "type": SECRET}, ": type is not oauth2 or basic"),
        ({"client_id": "a", "client_secert": SECRET}, "; did you mean client_secret?"),
        ({"client_id": "a", SECRET: None}, ": it has a key that is none of name, type"),
        ({"client_id": "a", "client_secret_file": "none"}, "none': No such file or directory"),
    ],
)
def test_a_wrong_entry_is_named_by_its_number(entry: object, said: str, tmp_path: Path) -> None:
    good = {"client_id": "a", "client_secret": SECRET}
    file = write(tmp_path / "tenants.yaml", [good, entry])
    line = only_problem({"api.tenants_file": file})

    assert line.startswith(f"api.tenants_file: '{file}', entry 2")
    assert said in line
    with pytest.raises(SettingsError) as caught:
        read_tenants_file(Path(file))
    assert str(caught.value) == line


def test_every_wrong_entry_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "tenants.yaml", [{}, 3])

    assert len(problems_of({"api.tenants_file": file})) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not a YAML list of at least one tenant"),
        ("[]", "is not a YAML list of at least one tenant"),
        (f"client_secret: {SECRET}", "is not a YAML list of at least one tenant"),
        (f"- *{SECRET}", "it is not YAML at line 1, column 3"),
    ],
)
def test_a_tenants_file_that_is_no_list_is_refused(content: str, said: str, tmp_path: Path) -> None:
    file = write(tmp_path / "tenants.yaml", content)
    line = only_problem({"api.tenants_file": file})

    assert said in line
    assert line.endswith("; set --api.tenants_file, KIMONO_API_TENANTS_FILE or api.tenants_file in the file")


def test_a_missing_tenants_file_is_named(tmp_path: Path) -> None:
    assert "No such file or directory" in only_problem({"api.tenants_file": str(tmp_path / "none")})


def test_the_account_collector_needs_account_credentials(tmp_path: Path) -> None:
    file = write(tmp_path / "tenants.yaml", [{"client_id": "a", "client_secret": SECRET}])
    line = only_problem({"api.tenants_file": file, "collectors.account.enabled": "true"})

    assert line.startswith("collectors.account.enabled: needs account credentials, and api.tenants_file has none")


# Whatever the input


def outcome(environ: dict[str, str]) -> tuple[str, set[str]]:
    """All that may be shown of these settings, and the settings that have a problem."""
    try:
        return repr(load({}, environ)), set()
    except SettingsError as error:
        return str(error) + repr(error), {problem.setting for problem in error.problems}


@given(
    st.dictionaries(
        st.sampled_from([leaf.env for leaf in leaves() if not leaf.env.endswith("_FILE")]),
        st.text(max_size=30).filter(lambda text: "\0" not in text).map(lambda text: text + SECRET),
    )
)
def test_any_environment_gives_settings_or_lines_that_name_settings_and_show_no_secret(environ: dict[str, str]) -> None:
    secret_variables = {leaf.env for leaf in leaves() if leaf.secret}
    kept = {env: value if env in secret_variables else "x" for env, value in environ.items()}
    shown, settings_named = outcome(kept)

    assert SECRET not in shown
    assert settings_named <= {leaf.path for leaf in leaves()} | {"api"}


DOCUMENT_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3),
    max_leaves=5,
)
NAMES = sorted({name for leaf in leaves() for name in leaf.path.split(".")} - {"file"})


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


# The documentation


@pytest.fixture(name="generate")
def _generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docs/generate.py, which is a script and in no package."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_configuration_page_is_what_the_code_makes(generate: ModuleType) -> None:
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == generate.configuration_markdown()


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.path)
def test_every_setting_is_documented(leaf: Leaf) -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{leaf.path}` |"))

    assert leaf.description
    assert leaf.env in row
    assert leaf.default in row
    assert (f"`--{leaf.path}`" in row) == (not leaf.secret)


def blocks_of_yaml(page: str) -> list[Any]:
    return [yaml.safe_load(block.partition("```")[0]) for block in page.split("```yaml\n")[1:]]


def test_the_examples_of_the_configuration_page_are_accepted(tmp_path: Path) -> None:
    tenants, settings, web = blocks_of_yaml((DOCS / "configuration.md").read_text(encoding="utf-8"))
    for entry in tenants:
        write(tmp_path / entry["client_secret_file"], SECRET)
    secret_file = write(tmp_path / "secret", SECRET)
    settings["api"]["client_secret_file"] = secret_file
    loaded = load({"config.file": write(tmp_path / "kimono.yaml", settings)}, {})

    assert [one.name for one in read_tenants_file(Path(write(tmp_path / "tenants.yaml", tenants)))] == [
        "Springfield",
        "Shelbyville",
    ]
    assert loaded.collectors.scoping.enabled
    assert loaded.collectors.scoping.interval == Collectors().scoping.interval
    assert set(web) == {"tls_server_config", "basic_auth_users"}


def test_check_names_the_stale_page_and_writes_nothing(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page: Callable[[], str] = lambda: "new"  # noqa: E731 - it is a value here
    monkeypatch.setattr(generate, "PAGES", ((tmp_path / "one.md", page), (tmp_path / "two.md", page)))
    write(tmp_path / "one.md", "new")
    write(tmp_path / "two.md", "old")

    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/two.md is stale: run python docs/generate.py\n"
    assert (tmp_path / "two.md").read_text(encoding="utf-8") == "old"
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""
