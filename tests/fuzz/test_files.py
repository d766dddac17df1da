"""Tests that any file of settings, tenants, access rules or secrets is used, or refused without showing a secret."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.access import AccessError, load_access_rules
from tests.support.fuzzing.files import SETTINGS, TENANTS, WEB, Files, check_lines
from tests.support.fuzzing.inputs import changed, damaged
from tests.support.fuzzing.runs import fuzzed


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("files"))


def dumped(value: Any) -> bytes:
    """YAML, also of values that it can't have in plain text."""
    return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")


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


@pytest.mark.xfail(reason="the name of a file that can't be opened is shown as it is")
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
