"""Gives the exporter a bad file, and checks that it uses it, or says in one line why not, without what is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from exporter.api.credentials import NamedCredentials
from exporter.collectors import COLLECTORS
from exporter.files import FileError, read_secret, read_yaml
from exporter.history import History
from exporter.settings import Settings, SettingsError, load
from exporter.settings.tenants_file import read_tenants_file
from exporter.state_file import Saved, StateFile, StateFileError
from exporter.web.access import AccessError, AccessRules, load_access_rules
from tests.support.fuzzing.inputs import SECRET
from tests.support.fuzzing.replies import OneBad, PolledTenant

URL, NOW = "https://api.example", 1_788_220_800.0

# Good files, from which bad ones are made.
SETTINGS = """\
api: {url: "https://api.example", key: S3CR3T-key, rate_limit: 2.5, timeout: 30s, max_response_bytes: 16MiB}
discovery:
  interval: 5m
  exclude: ["Sandbox *", b]
collectors:
  state: &often
    interval: 30s
  ingestions:
    <<: *often
    enabled: true
web: {listen_address: ":0"}
log: {level: info, format: json}
"""
TENANTS = """\
- name: Springfield
  client_id: id-1
  client_secret: S3CR3T-1
- {client_id: id-2, type: basic, client_secret: 'S3CR3T-2'}
- name: Shelbyville
  client_id: id-3
  client_secret_file: secret
"""
WEB = """\
tls_server_config:
  cert_file: tls.crt
  key_file: tls.key
  client_auth_type: NoClientCert
  min_version: TLS12
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  curve_preferences: [X25519]
http_server_config:
  http2: true
  headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=1}
basic_auth_users:
  prometheus: $2b$04$GtXzyKwcKxGXoV8K1vrSieaoJn3M0riae2nDtfGPHcfmMqt7gVthu
"""


class Files:
    """A folder with one file of each kind, which is written again for each input."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "secret").write_text("S3CR3T-3\n", encoding="utf-8")

    def _written(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def yaml(self, content: bytes) -> object:
        """The value in a YAML file, or None."""
        try:
            return read_yaml(self._written("any.yaml", content))
        except FileError as error:
            check_lines(error)
            return None

    def secret(self, content: bytes) -> str | None:
        """The secret in a file: one printable line."""
        try:
            secret = read_secret(self._written("key", content))
        except FileError as error:
            check_lines(error)
            return None
        assert secret.isprintable()
        assert secret.strip()
        return secret

    def settings(self, content: bytes) -> Settings | None:
        """The settings that a file gives."""
        path = self._written("kimono.yaml", content)
        hidden = True
        with suppress(FileError):
            hidden = not _misplaced(read_yaml(path))
        return load_settings({"config.file": str(path)}, {}, hidden=hidden)

    def tenants(self, content: bytes) -> tuple[NamedCredentials, ...]:
        """The credentials in a tenants file: at least one."""
        try:
            found = read_tenants_file(self._written("tenants.yaml", content))
        except SettingsError as error:
            # The name of an entry is for people, and is shown.
            check_lines(re.sub(r"(, entry \d+) \(.*\): ", r"\1: ", str(error)))
            return ()
        assert found
        assert SECRET not in repr(found)
        return found

    def access(self, content: bytes) -> AccessRules | None:
        """The rules in a web configuration file."""
        try:
            rules = load_access_rules(self._written("web.yaml", content))
        except AccessError as error:
            check_lines(error)
            return None
        for name, value in rules.headers.items():
            assert (name + value).isprintable()
        return rules

    def state(self, content: bytes, now: float = NOW) -> Saved:
        """What a state file has. Every history that is accepted can be used, and saved and read again."""
        file = StateFile(self._written("state", content))
        peeked = None
        try:
            peeked = file.peek(URL, now)
        except StateFileError as error:
            check_lines(error)
        saved = file.read(URL, now)
        assert (saved.set_aside is None) == (peeked is not None), "peek and read disagree"
        if saved.set_aside:
            assert "internal error" not in saved.set_aside.reason, saved.set_aside
            assert not saved.histories
            return saved
        for history in saved.histories.values():
            _check_usable(history, now)
        omitted = file.write(saved.histories.items(), URL, now)
        assert not omitted, "a history was read that can't be saved"
        assert file.read(URL, now).histories == saved.histories, "a history changes when it is saved"
        return saved


# Whatever these hold, no error shows it.
_HIDDEN = ("key", "token", "client_secret", "key_file", "token_file", "client_secret_file")


def _misplaced(value: object, name: object = "") -> bool:
    """Whether a secret is the value of a setting whose values are shown if they are wrong."""
    if isinstance(value, dict):
        return any(_misplaced(part, key) for key, part in value.items())
    return isinstance(value, str) and SECRET in value and name not in _HIDDEN


def load_settings(flags: Mapping[str, str], environ: Mapping[str, str], *, hidden: bool = True) -> Settings | None:
    """The settings that these sources give; None if they are refused. With `hidden`, no error may show a secret."""
    try:
        settings = load(flags, environ)
    except SettingsError as error:
        check_lines(error if hidden else str(error).replace(SECRET, ""))
        return None
    assert not hidden or SECRET not in f"{settings!r} {settings}"
    return settings


def check_lines(error: Exception | str) -> None:
    """One printable line for each problem, none with a secret, and no other error that a traceback would show."""
    text = str(error)
    assert text
    assert SECRET not in f"{text} {error!r}", text
    assert "GtXzyKwcKxGXoV8K1vrSie" not in text, "a hash of a password"
    for line in text.split("\n"):
        assert line.isprintable(), line
    if isinstance(error, Exception):
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None


def _check_usable(history: History, now: float) -> None:
    """A restart with this history: clock changes, and a poll by every collector, each with problems and samples."""
    for seconds in (0.0, -86_400.0, 86_400.0 * 365):
        moved = history.after_clock_change(seconds)
        moved.only([])
        for name in _COLLECTORS:
            moved.without(name).failed(name, now).recovered(name)
    tenant = PolledTenant(history=history)
    for kind in _COLLECTORS.values():
        failure = tenant.poll(kind(), OneBad(), now)
        assert failure is None, failure


# Those that poll tenants.
_COLLECTORS = {kind.name: kind for kind in COLLECTORS if not kind.of_account}
