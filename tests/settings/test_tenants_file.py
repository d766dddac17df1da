"""Tests that the tenants file gives credentials, or a line for each entry that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.api.credentials import BasicCredentials, ClientCredentials, NamedCredentials
from exporter.settings import SettingsError, load, read_tenants_file
from tests.support.settings import SECRET, only_problem, problems_of, write


def test_a_tenants_file_gives_credentials_in_order(tmp_path: Path) -> None:
    write(tmp_path / "south.secret", "south-secret\n")
    entries = [
        {"name": "North", "client_id": "n", "client_secret": SECRET},
        {"client_id": "s", "client_secret_file": "south.secret", "type": "basic", "name": None},
    ]
    file = write(tmp_path / "tenants.yaml", entries)
    north, south = read_tenants_file(Path(file))

    assert north == NamedCredentials("North", ClientCredentials("n", SECRET))
    assert south == NamedCredentials("entry 2", BasicCredentials("s", "south-secret"))
    assert SECRET not in repr(north)
    assert load({"api.tenants_file": file}, {}).api.tenants_file == Path(file)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (SECRET, ": it must be a mapping"),
        ({"client_id": "a"}, ": exactly one of client_secret and client_secret_file must be set"),
        ({"client_id": "a", "client_secret": ""}, ": exactly one of client_secret"),
        ({"client_id": "a", "client_secret": SECRET, "client_secret_file": "b"}, ": exactly one of client_secret"),
        ({"name": "West", "client_secret": SECRET}, ": client_id is missing"),
        ({"client_id": "a", "client_secret": 12345}, ": client_secret is not text: put it in quotes"),
        ({"client_id": "a", "client_secret": f"{SECRET}\nx"}, ": client_secret holds a line break"),
        ({"client_id": "a", "client_secret": SECRET, "type": SECRET}, ": type is not oauth2 or basic"),
        ({"client_id": "a", "client_secert": SECRET}, "; did you mean client_secret?"),
        ({"client_id": "a", SECRET: None}, ": it has a key that is none of name, type"),
        ({"name": SECRET, "client_secret": "a"}, ": client_id is missing"),
        ({"client_id": "a", "client_secret_file": SECRET}, ": client_secret_file can't be used: No such file"),
        ({"client_id": "a", "client_secret_file": "none"}, ": client_secret_file can't be used: No such file"),
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


def test_every_wrong_entry_is_reported(tmp_path: Path) -> None:
    file = write(tmp_path / "tenants.yaml", [{}, 3])

    assert len(problems_of({"api.tenants_file": file})) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not a YAML list of at least one tenant"),
        ("[]", "is not a YAML list of at least one tenant"),
        (f"client_secret: {SECRET}", "is not a YAML list of at least one tenant"),
        (f"- *{SECRET}", "it is not valid YAML at line 1, column 3"),
    ],
)
def test_a_tenants_file_that_is_no_list_is_refused(content: str, said: str, tmp_path: Path) -> None:
    file = write(tmp_path / "tenants.yaml", content)
    line = only_problem({"api.tenants_file": file})

    assert said in line
    ways = "set --api.tenants-file, KIMONO_API_TENANTS_FILE or api.tenants_file in the file"
    assert line.endswith("; correct the file" if "YAML at" in said else f"; {ways}")


def test_a_missing_tenants_file_is_named(tmp_path: Path) -> None:
    assert "No such file or directory" in only_problem({"api.tenants_file": str(tmp_path / "none")})
