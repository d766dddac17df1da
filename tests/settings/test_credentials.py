"""Tests that exactly one kind of credentials is accepted, read again at each use, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from exporter.api.credentials import BasicCredentials, BearerToken, ClientCredentials, Credentials
from exporter.files import FileError
from exporter.settings import ApiSettings, SettingsError, load
from tests.support.settings import KEY, SECRET, only_problem, write


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


@pytest.mark.parametrize(
    ("environ", "credentials"),
    [
        ({"KIMONO_API_KEY": SECRET}, BasicCredentials(SECRET, SECRET)),
        ({"KIMONO_API_TOKEN": SECRET}, BearerToken(SECRET)),
        ({"KIMONO_API_CLIENT_ID": "me", "KIMONO_API_CLIENT_SECRET": SECRET}, ClientCredentials("me", SECRET)),
    ],
)
def test_each_kind_gives_its_credentials(environ: dict[str, str], credentials: Credentials) -> None:
    assert load({}, environ).api.credentials() == credentials


def test_credentials_in_a_file_are_read_at_each_call(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("first", encoding="utf-8")
    api = load({"api.client_id": "me", "api.client_secret_file": str(file)}, {}).api
    assert api.credentials() == ClientCredentials("me", "first")

    file.write_text("second", encoding="utf-8")
    assert api.credentials() == ClientCredentials("me", "second")

    file.unlink()
    with pytest.raises(FileError, match="No such file"):
        api.credentials()


def test_settings_without_account_credentials_give_none() -> None:
    with pytest.raises(SettingsError, match="there are no credentials"):
        ApiSettings(client_id="me").credentials()


def test_an_empty_secret_variable_leaves_that_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "kimono.yaml", {"api": {"key": SECRET}})

    assert load({"config.file": file}, {"KIMONO_API_KEY": ""}).api.secret("key") == SECRET


def test_a_blank_secret_in_the_file_is_not_set(tmp_path: Path) -> None:
    file = write(tmp_path / "kimono.yaml", {"api": {"key": " ", "token": SECRET}})

    assert load({"config.file": file}, {}).api.key is None


def test_without_credentials_the_line_lists_every_way() -> None:
    for environ in ({}, {"KIMONO_API_KEY": ""}, {"KIMONO_API_KEY": " \n"}):
        line = only_problem({}, environ)
        ways = ("KIMONO_API_KEY", "--api.key-file", "--api.client-id", "KIMONO_API_CLIENT_SECRET", "KIMONO_API_TOKEN")
        assert all(way in line for way in (*ways, "--api.tenants-file", "`kimono-exporter demo` needs none"))


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
        " --api.client-secret-file or api.client_secret in the file"
    )
    ways = "set --api.client-id, KIMONO_API_CLIENT_ID or api.client_id in the file"
    assert only_problem({}, {"KIMONO_API_CLIENT_SECRET": SECRET}) == (
        f"api.client_id: is not set, but api.client_secret is; {ways}"
    )
    file = write(tmp_path / "secret", SECRET)
    assert only_problem({"api.client_secret_file": file}) == (
        f"api.client_id: is not set, but api.client_secret_file is; {ways}"
    )


@pytest.mark.parametrize(
    ("content", "reason", "fix"),
    [
        (None, "No such file or directory", "set --api.key-file, KIMONO_API_KEY_FILE or api.key_file in the file"),
        (b"", "it is empty", "write the secret into it"),
        (b" \n\n", "it is empty", "write the secret into it"),
        (b"\xff" + SECRET.encode(), "it is not UTF-8 text", "correct the file"),
        (f"{SECRET}\n{SECRET}\n".encode(), "it has more than one line", "keep the secret alone in it"),
    ],
)
def test_a_secret_file_that_can_not_be_used_is_named_with_the_reason_and_how_to_fix_it(
    content: bytes | None, reason: str, fix: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    line = only_problem({"api.key_file": str(file)})

    assert line.startswith(f"api.key_file: can't read '{file}': {reason}")
    assert line.endswith(f"; {fix}")


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
    with pytest.raises(FileError, match="No such file") as caught:
        api.secret("key")
    assert caught.value.path == file


def test_a_secret_with_a_line_break_is_refused() -> None:
    assert only_problem({}, {"KIMONO_API_KEY": f"{SECRET}\nmore"}).startswith("api.key: holds a line break")
    assert load({}, {"KIMONO_API_KEY": f"{SECRET}\n"}).api.secret("key") == SECRET
    assert ApiSettings(key=SecretStr(SECRET)).secret("key") == SECRET


def test_the_account_collector_needs_account_credentials(tmp_path: Path) -> None:
    file = write(tmp_path / "tenants.yaml", [{"client_id": "a", "client_secret": SECRET}])
    line = only_problem({"api.tenants_file": file, "collectors.account.enabled": "true"})

    assert line.startswith("collectors.account.enabled: needs account credentials, and api.tenants_file has none")
