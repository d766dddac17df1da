"""Tests that any file of settings, tenants, access rules or secrets is used, or refused without showing a secret."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.settings import LEAVES
from exporter.web.access import AccessError, load_access_rules
from tests.support.fuzzing.files import SETTINGS, TENANTS, WEB, Files, check_lines
from tests.support.fuzzing.inputs import ODD, changed, damaged, replaced
from tests.support.fuzzing.runs import fuzzed


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("files"))


def _halves(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def dumped(value: Any) -> bytes:
    """YAML, also of values that it can't have in plain text."""
    return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")


# Half of a surrogate pair is no text in a file.
ODD_IN_YAML = [each for each in ODD if not (isinstance(each, str) and not each.isascii() and _halves(each))]


def texts(good: str) -> st.SearchStrategy[bytes]:
    """Files made from a good one: its values or its text changed, or bytes from nowhere."""
    values = changed(yaml.safe_load(good)).map(dumped)
    return st.one_of(values, values, damaged(good.encode()), values.flatmap(damaged), st.binary(max_size=200))


@fuzzed(300)
@given(texts(SETTINGS))
def test_any_file_of_settings_is_read_or_refused(files: Files, content: bytes) -> None:
    files.settings(content)


@fuzzed(300)
@given(texts(TENANTS))
def test_any_tenants_file_is_read_or_refused(files: Files, content: bytes) -> None:
    files.tenants(content)


@fuzzed(300)
@given(texts(WEB))
def test_any_web_configuration_is_read_or_refused(files: Files, content: bytes) -> None:
    files.access(content)


def test_every_value_in_every_file_may_be_anything(files: Files) -> None:
    for good, read in ((SETTINGS, files.settings), (TENANTS, files.tenants), (WEB, files.access)):
        for value in replaced(yaml.safe_load(good), ODD_IN_YAML[::5]):
            read(dumped(value))


@pytest.mark.parametrize("path", sorted(LEAVES))
def test_every_setting_in_the_file_may_be_anything(files: Files, path: str) -> None:
    for odd in ODD_IN_YAML:
        content = odd
        for name in reversed(path.split(".")):
            content = {name: content}
        files.settings(dumped(content))


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "? ", "&a [*a, "])
def test_every_file_may_nest_deeper_than_the_stack(files: Files, piece: str) -> None:
    deep = (piece * 20_000).encode()
    for read in (files.settings, files.tenants, files.access, files.yaml):
        assert not read(deep)


@fuzzed(100)
@given(st.binary(max_size=60) | damaged(b"S3CR3T-key\n"))
def test_any_file_of_a_secret_is_read_or_refused(files: Files, content: bytes) -> None:
    files.secret(content)


@pytest.mark.parametrize("good", [SETTINGS, TENANTS], ids=["settings", "tenants"])
def test_the_good_files_are_used(files: Files, good: str) -> None:
    assert files.settings(good.encode()) if good is SETTINGS else len(files.tenants(good.encode())) == 3


MISPLACED = (
    "-----BEGIN PRIVATE KEY----- S3CR3T",
    "$2b$04$GtXzyKwcKxGXoV8K1vrSieaoJn3M0riae2nDtfGPHcfmMqt7gVthu",
    "a\nb",
    "\x1b[1m",
)


@pytest.mark.parametrize("name", MISPLACED)
@pytest.mark.parametrize("key", ["cert_file", "key_file"])
def test_what_stands_in_the_place_of_a_file_name_is_not_shown(files: Files, key: str, name: str) -> None:
    content = {"tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key", key: name}}
    path = files.folder / "web.yaml"
    path.write_bytes(dumped(content))
    with pytest.raises(AccessError) as caught:
        load_access_rules(path)
    assert len(str(caught.value).splitlines()) == 2
    check_lines(caught.value)
