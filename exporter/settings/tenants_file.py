"""Reads the tenants file: a YAML list of single tenants' credentials."""

from __future__ import annotations

from pathlib import Path

from exporter.api.credentials import BasicCredentials, ClientCredentials, NamedCredentials
from exporter.files import FileError, FileTimeoutError, read_secret, read_yaml
from exporter.settings.errors import Problem, SettingsError, SettingsTimeoutError, did_you_mean
from exporter.settings.tree import LEAVES

_KEYS = ("name", "type", "client_id", "client_secret", "client_secret_file")


def read_tenants_file(path: Path) -> tuple[NamedCredentials, ...]:
    """The credentials in a tenants file, in its order, with the secrets that it names by file.

    Raises SettingsError with every problem, each with the number of its entry (from 1); SettingsTimeoutError at the
    first file that does not respond.
    """
    setting = LEAVES["api.tenants_file"]
    try:
        entries = read_yaml(path)
    except FileError as error:
        raise _unusable(error) from None
    if not isinstance(entries, list) or not entries:
        raise SettingsError((setting.problem(f"{str(path)!r} is not a YAML list of at least one tenant"),))
    tenants, problems = [], []
    for number, entry in enumerate(entries, start=1):
        try:
            tenants.append(_parse_entry(entry, f"entry {number}", path.parent))
        except FileTimeoutError as error:
            raise _unusable(error) from None  # the other entries' files may be on the same disk
        except ValueError as error:
            problems.append(Problem(setting.path, f"{str(path)!r}, entry {number}: {error}"))
    if problems:
        raise SettingsError(tuple(problems))
    return tuple(tenants)


def _unusable(error: FileError) -> SettingsError:
    kind = SettingsTimeoutError if isinstance(error, FileTimeoutError) else SettingsError
    return kind((LEAVES["api.tenants_file"].unusable(error),))


def _parse_entry(entry: object, default_name: str, folder: Path) -> NamedCredentials:
    """One entry. Raises ValueError with what is wrong with it, FileTimeoutError if its secret's file hangs."""
    if not isinstance(entry, dict):
        raise ValueError("it must be a mapping with client_id and client_secret")  # noqa: TRY004 - one kind for all
    for key, value in entry.items():
        if key not in _KEYS:
            # The key itself is not shown: in a file like this one it may be a secret in the wrong place.
            raise ValueError(f"it has a key that is none of {', '.join(_KEYS)}{did_you_mean(str(key), _KEYS)}")
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{key} is not text: put it in quotes")
    name, client_id, secret, secret_file = (
        (entry.get(key) or "").rstrip() for key in ("name", "client_id", "client_secret", "client_secret_file")
    )
    if not client_id:
        raise ValueError("client_id is missing")
    if entry.get("type") not in (None, "oauth2", "basic"):
        raise ValueError("type is not oauth2 or basic")
    if bool(secret) == bool(secret_file):
        raise ValueError("exactly one of client_secret and client_secret_file must be set")
    if not secret.isprintable():
        raise ValueError("client_secret holds a line break or another control character")
    kind = BasicCredentials if entry.get("type") == "basic" else ClientCredentials
    credentials = kind(client_id.strip(), secret or _read_secret(folder / secret_file))
    return NamedCredentials(name.strip() or default_name, credentials)


def _read_secret(path: Path) -> str:
    """The secret in a file. No error shows the path, which may be the secret itself; FileTimeoutError means it is not.

    Raises ValueError for a file that can't be used.
    """
    try:
        return read_secret(path)
    except FileTimeoutError:
        raise
    except FileError as error:
        raise ValueError(f"client_secret_file can't be used: {error.reason}") from None
