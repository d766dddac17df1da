"""Tests that the messages in docs/troubleshooting.md are in the code, or are what the code makes."""

from __future__ import annotations

import ast
import errno
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from aiohttp import ClientProxyConnectionError
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict

from exporter.api.errors import ApiError
from exporter.api.transport import _broken
from exporter.api.wire import Reply, check, check_token
from exporter.cli import run_command
from tests.site.pages import DOCS, ROOT

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^\| `(.+?)` \|", PAGE.partition("\n## Metrics\n")[0], re.MULTILINE)
# The part that differs. It may also stand for several texts of the code, which are joined at runtime.
ANY = "…"


@cache
def texts() -> tuple[str, ...]:
    """The texts in the code, with … for what differs."""
    sources = (path.read_text(encoding="utf-8") for path in sorted((ROOT / "exporter").rglob("*.py")))
    return tuple(text for source in sources for node in ast.walk(ast.parse(source)) for text in _texts(node))


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else ANY for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


@cache
def made() -> tuple[str, ...]:
    """Messages that the code joins from several texts."""
    return tuple(_made())


def _made() -> Iterator[str]:
    html = {"content-type": "text/html"}
    replies = [(status, {}) for status in (302, 401, 403, 404, 429, 500)]
    for status, headers in (*replies, (403, html)):
        with pytest.raises(ApiError) as raised:
            check(Reply(status, CIMultiDict(headers), b""), 0.0)
        yield str(raised.value)
    with pytest.raises(ApiError) as raised:
        check_token(Reply(401, CIMultiDict({}), b""), 0.0)
    yield str(raised.value)
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "")
    key = ConnectionKey("h", 443, True, None, None, None, None)  # noqa: FBT003 - aiohttp's own
    yield from (str(_broken(error)) for error in (refused, ClientProxyConnectionError(key, refused)))


def pattern(message: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, message.replace("Address already in use", ANY).split(ANY))), re.DOTALL)


def occurs(message: str) -> bool:
    """Whether a message is in one text of the code, or in one that it makes."""
    return any(pattern(message).search(text) for text in (*texts(), *made()))


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_in_the_code(message: str) -> None:
    assert message.strip(f"{ANY} :;"), "nothing of it is fixed"
    assert occurs(message)


def test_there_are_messages() -> None:
    assert len(QUOTED) > 30
    assert not occurs("the moon is full")


SECRET_FILES = {"empty": "", "two-lines": "a\nb\n", "one": "S3CR3T\n"}
PRINTED = {
    "there are no credentials; set one of …": ((), ""),
    "a secret is not accepted as a flag, as others could see it; …": (("--api.key=S3CR3T",), ""),
    "there is no such setting, but the file has it…": ((), "api: {ky: x}"),
    "is a section: it must hold a mapping of settings": ((), "api: x"),
    "a duplicate key": ((), "api: {timeout: 1s}\napi: {timeout: 1s}"),
    "… is not a duration such as 90, 30s, 5m or 1h30m": (("--api.timeout=1x",), ""),
    "must not have /v2/interop in it: the exporter adds that itself": (("--api.url=https://h/v2/interop",), ""),
    "… is not an http(s) URL": (("--api.url=h",), ""),
    "can't read …": (("--api.key-file=none.txt",), ""),
    "it is not valid YAML…": ((), "api: {"),
    "there is no such setting": ((), "url: https://h"),
    "http would send credentials unprotected to another host…": (("--api.url=http://h", "--api.key-file=one"), ""),
    "it is empty": (("--api.key-file=empty",), ""),
    "it has more than one line, or a control character": (("--api.key-file=two-lines",), ""),
    "more than one kind of credentials is set: …": (("--api.key-file=empty", "--api.token-file=empty"), ""),
}


@pytest.mark.parametrize("message", PRINTED)
def test_the_exporter_prints_a_message_as_it_is_quoted(
    message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in QUOTED
    flags, content = PRINTED[message]
    monkeypatch.chdir(tmp_path)
    for name, text in SECRET_FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "kimono.yaml").write_text(content)
    assert run_command(["run", "--config.check", "--config.file=kimono.yaml", *flags], {}) == 2
    assert pattern(message).search(capsys.readouterr().err)
