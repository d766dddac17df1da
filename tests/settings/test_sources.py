"""Tests that settings come from flags, environment and file, in that order, and that a wrong name is reported."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from exporter.flags import flag_of
from exporter.settings import LEAVES, Settings, add_flags, given_flags, load
from exporter.settings.tree import Leaf
from tests.support.settings import KEY, SECRET, only_problem, parsed_flags, problems_of, write


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
    by_path = {
        "api.url": "https://other.example",
        "web.listen_address": ":1",
        "web.telemetry_path": "/kimono/metrics",
        "log.level": "debug",
    }
    by_path |= {"log.format": "json", "polling.strategy": "plain", "api.proxy_url": "http://proxy.example:3128"}
    by_kind = {"duration": "77s", "size": "77KiB", "list": "a,b", "number": "77", "path": "some.file", "text": "words"}
    by_kind["boolean"] = "false" if leaf.default == "true" else "true"
    return by_path.get(leaf.path) or by_kind[leaf.kind.name]


def value_at(settings: Settings, path: str) -> Any:
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


SETTABLE = [leaf for leaf in LEAVES.values() if leaf.path != "config.file"]


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
    # An index needs so many shards.
    other = {"KIMONO_SHARD_TOTAL": "100"} if leaf.path == "shard.index" else {}

    results = [load({}, other | {leaf.env: sample}, needs_credentials=False)]
    results.append(load({}, other | {"KIMONO_CONFIG_FILE": file}, needs_credentials=False))
    if leaf.flag:
        results.append(load(parsed_flags(f"{leaf.flag}={sample}"), other, needs_credentials=False))
    values = [value_at(settings, leaf.path) for settings in results]

    assert values == [values[0]] * len(values)
    assert values[0] != value_at(Settings(), leaf.path)


def test_an_unknown_variable_is_a_warning_without_its_value() -> None:
    environ = KEY | {"KIMONO_API_KEYY": SECRET, "KIMONO_PORT_10120_TCP_PROTO": "tcp", "OTHER": "1"}
    warnings = load({}, environ).warnings

    assert warnings[0] == "KIMONO_API_KEYY: ignored, as there is no such setting; did you mean KIMONO_API_KEY?"
    assert warnings[1].startswith("KIMONO_PORT_10120_TCP_PROTO: ignored")
    assert len(warnings) == 2


def test_variables_of_a_service_that_is_named_after_the_program_are_ignored() -> None:
    environ = KEY | {"KIMONO_EXPORTER_SERVICE_HOST": "10.0.0.1", "KIMONO_EXPORTER_PORT": "tcp://x"}
    assert load({}, environ).warnings == ()


@pytest.mark.parametrize("text", ["api: {timeout: 5s}\napi: {timeout: 6s}\n", "api:\n  timeout: 5s\n  timeout: 5s\n"])
def test_a_key_that_is_there_twice_is_reported(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    line = only_problem({"config.file": str(tmp_path / "config.yaml")})
    assert "a duplicate key at line" in line


# Flags


def test_a_boolean_flag_alone_means_true_and_takes_a_value_with_an_equals_sign() -> None:
    assert parsed_flags("--collectors.scoping.enabled") == {"collectors.scoping.enabled": "true"}
    assert parsed_flags("--collectors.state.enabled=false") == {"collectors.state.enabled": "false"}


def test_flags_not_given_leave_nothing_and_other_arguments_are_ignored() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--tenants", default=3)
    add_flags(parser)

    assert given_flags(parser.parse_args(["--log.level", "debug"])) == {"log.level": "debug"}


@pytest.mark.parametrize("arguments", [[f"--api.key={SECRET}"], ["--api.key", SECRET], ["--api.key"]])
def test_a_secret_as_a_flag_is_refused_and_dropped(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    flags = parsed_flags(*arguments)

    assert SECRET not in repr(flags)
    assert only_problem(flags) == (
        "api.key: a secret is not accepted as a flag, as others could see it; use KIMONO_API_KEY or --api.key-file"
    )
    assert SECRET not in "".join(capsys.readouterr())


def test_a_secret_handed_to_load_as_a_flag_is_refused_as_well() -> None:
    assert only_problem({"api.token": SECRET}, KEY).startswith("api.token: a secret is not accepted as a flag")


def test_help_shows_every_flag_with_its_variable_and_default_and_no_secret() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)
    words = parser.format_help().split()
    text = " ".join(words)

    for leaf in LEAVES.values():
        assert (flag_of(leaf.path) in words) == (not leaf.kind.secret)
        assert leaf.kind.secret or leaf.env in text
        assert not leaf.default or f"default {leaf.default}" in text
    assert text.isascii()


# The file


def test_a_value_of_a_wrong_type_in_the_file_is_named_and_never_a_secret(tmp_path: Path) -> None:
    api = {"key": 12345678, "client_id": 5, "timeout": [3], "token": {"a": SECRET}, "key_file": {"key": SECRET}}
    file = write(tmp_path / "kimono.yaml", {"api": api, "discovery": {"include": [1]}})
    lines = problems_of({"config.file": file})

    assert [line.partition(";")[0] for line in lines] == [
        "api.key: is not text: put it in quotes (given by the file)",
        "api.key_file: a mapping is not text: put it in quotes (given by the file)",
        "api.client_id: the value is not text: put it in quotes (given by the file)",
        "api.token: is not text: put it in quotes (given by the file)",
        "api.timeout: a list is not a duration such as 90, 30s, 5m or 1h30m (given by the file)",
        "discovery.include: an element is not text: put it in quotes (given by the file)",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"api": {"kee": SECRET}}, "api.kee: there is no such setting, but the file has it; did you mean api.key?"),
        ({"webb": {}}, "webb: there is no such setting, but the file has it"),
        ({1: 2}, "the file: key 1 in it is not the name of a setting"),
        ({"api": None, "warnings": ["x"]}, "the file: key 2 in it is not the name of a setting"),
        ({"layers": ["x"]}, "the file: key 1 in it is not the name of a setting"),
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
def test_a_key_without_a_value_is_ignored(content: str, tmp_path: Path) -> None:
    file = write(tmp_path / "kimono.yaml", content)

    assert load({"config.file": file}, KEY).api == load({}, KEY).api


def test_a_file_that_is_not_there_is_reported_once_without_asking_for_credentials(tmp_path: Path) -> None:
    line = only_problem({"config.file": str(tmp_path / "none.yaml")})

    assert line.startswith("config.file: can't read '")
    assert line.endswith("none.yaml': No such file or directory; set --config.file or KIMONO_CONFIG_FILE")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"api:\n  key: *{SECRET}\n", "it is not valid YAML at line 2, column 8"),
        (f"api:\n  key: {SECRET}\n  token: a: b\n", "it is not valid YAML at line 3, column 11"),
        (f"api: !{SECRET} x\n", "it is not valid YAML at line 1, column 6"),
        (f"api: {SECRET}\n\tkey: x\n", "it is not valid YAML at line 2"),
        ("api: 2024-99-99\n", "it is not valid YAML"),
        (f"{SECRET}\x00", "it is not valid YAML"),
        ("[" * 5000, "it nests too deep at line 1, column 101"),
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


def test_a_path_that_can_not_be_one_is_reported_once() -> None:
    assert only_problem({"config.file": "a\0b"}, KEY).startswith("config.file: the value is not a path")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "Is a directory" in only_problem({"config.file": str(tmp_path)}, KEY)


@pytest.mark.parametrize(
    "text", [f"api: {{key:{SECRET}, rate_limit: 5}}", f"{SECRET}: 1", f"api: {{? {SECRET}= : 1}}", f"{'a' * 900}: 1"]
)
def test_a_key_that_is_no_name_is_not_shown(text: str, tmp_path: Path) -> None:
    file = tmp_path / "kimono.yaml"
    file.write_text(text, encoding="utf-8")
    lines = problems_of({"config.file": str(file)}, KEY)

    assert any("key 1 in it is not the name of a setting" in line for line in lines)
    assert not [line for line in lines if SECRET in line or "aaaa" in line]
