"""Tests that no error shows a secret that was put in the wrong place."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest

from exporter.cli import run_command
from exporter.settings import LEAVES, SettingsError, load
from exporter.state_file import StateFile, StateFileError
from exporter.web import AccessError, load_access_rules
from tests.support.canaries import found

# As the API issues them, and as people write them.
SECRETS = {
    "hexadecimal": "S3CR3T-0123456789abcdef",
    "base64": "S3CR3T+AAAA/bbbb+cccc/dddd==",
    "letters": "SthreeCRthreeTabcdefghijkl",
    "digits": "73312099331122",
    "words": "hunter two",
    "JWT": "S3CR3T.eyJhbGciOi.c2ln",
    "short": "hunter2",
    "PEM": "-----BEGIN PRIVATE KEY-----\nS3CR3TAAAA\n-----END PRIVATE KEY-----",
}
URLS = (
    "https://{}@api.example",
    "https://user:{}@api.example",
    "https://api.example/?key={}",
    "https://api.example#{}",
)


def shown(flags: dict[str, str], environ: dict[str, str]) -> str:
    """All that may be shown of these settings."""
    try:
        settings = load(flags, environ)
    except SettingsError as error:
        return str(error) + repr(error)
    # Of names of files and hosts, nothing is wrong yet; they are shown when they can't be used.
    return "\n".join(settings.warnings)


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("path", LEAVES)
def test_no_error_shows_a_value(path: str, kind: str, tmp_path: Path) -> None:
    secret = SECRETS[kind]
    texts = [shown({path: secret}, {}), shown({}, {LEAVES[path].env: secret})]
    if path != "config.file":
        section, name = path.rsplit(".", 1)
        tree: dict[str, object] = {name: secret}
        for each in reversed(section.split(".")):
            tree = {each: tree}
        (tmp_path / "kimono.json").write_text(json.dumps(tree))
        texts.append(shown({"config.file": str(tmp_path / "kimono.json")}, {}))
    assert not found([secret], "\n".join(texts))


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("url", URLS)
def test_no_error_shows_a_part_of_a_url(url: str, kind: str) -> None:
    line = shown({"api.url": url.format(SECRETS[kind])}, {})
    assert line.startswith("api.url: ")
    assert not found([SECRETS[kind]], line)


@pytest.mark.parametrize("kind", [each for each in SECRETS if each != "PEM"])
@pytest.mark.parametrize(
    "content",
    [
        "{}: 1",
        "api: {{'{}': 1}}",
        "api:\n  key:{}\n",
        "api: '{}'",
        "'{}'",
        "- {}",
        "collectors: {{state: '{}'}}",
        "collectors: {{'{}': {{}}}}",
        "api: {{timeout: ['{}']}}",
        "api: {{timeout: {{'{}': 1}}}}",
        "api: {{key: *{}}}",
        "api: !<{}> x",
        "api: {{key: '{}', key: 1}}",
        "? ['{}']\n: 1",
    ],
)
def test_no_error_shows_what_is_in_the_file(content: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "kimono.yaml").write_text(content.format(SECRETS[kind]))
    line = shown({"config.file": str(tmp_path / "kimono.yaml")}, {})
    assert line
    assert not found([SECRETS[kind]], line)


@pytest.mark.parametrize("kind", SECRETS)
def test_no_error_shows_what_is_in_the_tenants_file(kind: str, tmp_path: Path) -> None:
    secret = SECRETS[kind]
    good = {"client_id": "a", "client_secret": "b"}
    entries: list[object] = [
        *({**good, name: [secret]} for name in ("name", "type", "client_id", "client_secret")),
        *({**good, name: {secret: secret}} for name in ("name", "type", "client_id", "client_secret")),
        *({**good, secret: each} for each in (None, "x", 1)),
        {**good, "type": secret},
        {"client_id": secret},
        {"name": secret},
        {"client_id": "a", "client_secret_file": secret},
        secret,
        [secret],
    ]
    for entry in entries:
        (tmp_path / "tenants.yaml").write_text(json.dumps([entry]))
        line = shown({"api.tenants_file": str(tmp_path / "tenants.yaml")}, {})
        assert "entry 1" in line
        assert not found([secret], line)


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["{}"],
        ["run", "{}"],
        ["check", "--api.key", "{}"],
        ["check", "--api.key={}"],
        ["check", "--api.kee={}"],
        ["check", "--api.key:{}"],
        ["check", "--{}"],
        ["check", "-p{}"],
        ["check", "-h{}"],
        ["check", "--api.key_file"],
        ["demo", "--tenants", "{}"],
        ["demo", "--seed={}"],
        ["simulate", "--listen", "{}"],
        ["--version={}"],
    ],
)
def test_no_error_shows_an_argument(arguments: list[str], kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = run_command([each.format(SECRETS[kind]) for each in arguments], {})
    except SystemExit as end:
        code = end.code
    out, err = capfd.readouterr()
    assert code == 2
    assert not found([SECRETS[kind]], out + err)


@pytest.mark.parametrize("kind", [each for each in SECRETS if each != "PEM"])
def test_no_error_shows_the_path_of_a_web_configuration(kind: str) -> None:
    with pytest.raises(AccessError) as caught:
        load_access_rules(Path(SECRETS[kind]))
    assert not found([SECRETS[kind]], str(caught.value))


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize(
    "content",
    [
        "{secret}: 1",
        "basic_auth_user: {secret}",
        "tls_server_config: {secret}",
        "tls_server_config: [{secret}]",
        "tls_server_config: {{cert_file: {secret}, key_file: web.json}}",
        "tls_server_config: {{cert_file: web.json, key_file: {secret}}}",
        "tls_server_config: {{cert_file: web.json, key_file: {beside}}}",
        "tls_server_config: {{client_auth_type: RequireAndVerifyClientCert, client_ca_file: {secret}}}",
        "tls_server_config: {{client_auth_type: {secret}, min_version: {secret}, cipher_suites: [{secret}]}}",
        "tls_server_config: {{{secret}: 1}}",
        "http_server_config: {{headers: {{{secret}: 1}}}}",
        "basic_auth_users: {{{secret}: {secret}}}",
        "rate_limit: {{interval: {secret}}}",
    ],
)
def test_no_error_shows_what_is_in_a_web_configuration(content: str, kind: str, tmp_path: Path) -> None:
    path, secret = tmp_path / "web.json", SECRETS[kind]
    path.write_text(content.format(secret=json.dumps(secret), beside=json.dumps(f"./{secret}")))
    with pytest.raises(AccessError) as caught:
        load_access_rules(path)
    assert not found([secret], str(caught.value))
    assert len(str(caught.value).splitlines()) == len(caught.value.problems)


@pytest.mark.parametrize("name", ["gone.pem", "gone", "certificates/gone", "../web/gone.pem"])
def test_the_path_of_a_missing_certificate_is_shown_where_it_leads_somewhere(name: str, tmp_path: Path) -> None:
    (tmp_path / "web" / "certificates").mkdir(parents=True)
    path = tmp_path / "web" / "web.json"
    path.write_text(json.dumps({"tls_server_config": {"cert_file": name, "key_file": "web.json"}}))
    with pytest.raises(AccessError) as caught:
        load_access_rules(path)
    which = "the file (its name is not shown, because it may be a secret in the wrong place)"
    if name != "gone":
        which = repr(str(path.parent / name))
    assert caught.value.problems == (f"tls_server_config.cert_file: can't read {which}: No such file or directory",)


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("path", ["{}", "{}/state", "./{}", "/{}/state", "/{}/{}/state", "file/{}", "{}/../{}"])
def test_no_message_shows_the_path_of_a_state_file(
    path: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one that does not lead to a file or into a folder. With a disk that fails, none can be written."""
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    secret = SECRETS[kind]
    texts = []
    file = StateFile(Path(path.replace("{}", secret)))
    for wrong in (OSError(5, "failed", f"{file.path}.tmp"), OSError(5, "failed", "a", None, str(file.path))):
        monkeypatch.setattr(file, "_create_temporary", Mock(side_effect=wrong))
        texts += [file.cause(wrong), file.name, file.shown]
        for call in (file.lock, partial(file.peek, "https://api.example", 0.0)):
            try:
                call()
            except StateFileError as error:
                texts.append(str(error))
    assert not found([secret], "\n".join(texts))
    assert any("can't use the file (" in each for each in texts)


@pytest.mark.parametrize(("name", "reason"), [("gone/state", "there is no folder '{}'"), ("a/b/state", "its folder ")])
def test_the_missing_folder_of_a_state_file_is_shown_if_it_can_be_created(
    name: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    with pytest.raises(StateFileError, match=re.escape(reason.format(path.parent))) as caught:
        StateFile(path).lock()
    assert (str(path) in str(caught.value)) == (name == "gone/state")
