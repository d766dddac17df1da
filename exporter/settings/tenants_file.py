"""Reads the tenants file: a YAML list of single tenants' credentials."""

from __future__ import annotations

from pathlib import Path

from exporter.api.credentials import BasicCredentials, ClientCredentials, NamedCredentials
from exporter.files import FileError, read_secret, read_yaml
from exporter.settings.errors import Problem, SettingsError, did_you_mean
from exporter.settings.tree import LEAVES

_KEYS = ("name", "type", "client_id", "client_secret", "client_secret_file")


def read_tenants_file(path: Path) -> tuple[NamedCredentials, ...]:
    """The credentials in a tenants file, in its order, with the secrets that it names by file.

    Raises SettingsError with every problem, each with the number of its entry (from 1).
    """
    setting = LEAVES["api.tenants_file"]
    try:
        entries = read_yaml(path)
    except FileError as error:
        raise SettingsError((setting.problem(str(error)),)) from None
    if not isinstance(entries, list) or not entries:
        raise SettingsError((setting.problem(f"{str(path)!r} is not a YAML list of at least one tenant"),))
    tenants, problems = [], []
    for number, entry in enumerate(entries, start=1):
        try:
            tenants.append(_parse_entry(entry, f"entry {number}", path.parent))
        except (ValueError, FileError) as error:
            problems.append(Problem(setting.path, f"{str(path)!r}, entry {number}{_label(entry)}: {error}"))
    if problems:
        raise SettingsError(tuple(problems))
    return tuple(tenants)


def _label(entry: object) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return f" ({name})" if isinstance(name, str) and name.isprintable() else ""


def _parse_entry(entry: object, default_name: str, folder: Path) -> NamedCredentials:
    """One entry. Raises ValueError with what is wrong with it, FileError for its secret's file."""
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
    credentials = kind(client_id.strip(), secret or read_secret(folder / secret_file))
    return NamedCredentials(name.strip() or default_name, credentials)
