"""Parses the values of settings: durations, sizes, lists, addresses, URLs, secrets.

Each parser takes text or what YAML made of it. It raises ValueError with the end of a sentence that begins
with the setting's name.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, SecretStr

from exporter.api.egress import check_proxy

MAX_PORT = 65_535
_DURATION_UNITS = {"y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile("".join(f"(?:(?P<{unit}>[0-9]+){unit})?" for unit in _DURATION_UNITS))
_SIZE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile("(?P<number>[0-9]{1,18}) ?(?P<unit>[KMG]i?B|B|)", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_NOT_TEXT = "is not text: put it in quotes"
# A number, or the name of a pod of a StatefulSet, which ends with one.
_ORDINAL = re.compile("(?:[a-z0-9][a-z0-9.-]*-)?(?P<ordinal>[0-9]{1,9})", re.ASCII)

Word = TypeVar("Word")


def shown(value: object) -> str:
    """What an error line calls the value. It never shows it: it may be a secret in the wrong place."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return "the value"


def _number(value: object) -> float | None:
    """The value as a finite float, if it is a number or the plain decimal text of one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer beyond what a float can hold
        return None
    return number if math.isfinite(number) else None


def parse_duration(value: object) -> float:
    """Seconds, from seconds (`90`, `0.5`) or from Prometheus' way to write them (`30s`, `1h30m`).

    Raises ValueError for anything else, and for anything that must be more than 0.
    """
    seconds = _number(value)
    text = value.strip() if isinstance(value, str) else ""
    if seconds is None and text and (match := _DURATION.fullmatch(text)):
        seconds = sum(float(match[unit] or 0) * length for unit, length in _DURATION_UNITS.items())
    if seconds is None or not math.isfinite(seconds):
        raise ValueError(f"{shown(value)} is not a duration such as 90, 30s, 5m or 1h30m")
    if seconds <= 0:
        raise ValueError(f"{shown(value)} must be more than 0")
    return seconds


def _format_duration(seconds: float) -> str:
    """The shortest way to write whole seconds in one unit that `parse_duration` reads."""
    for unit in ("d", "h", "m"):
        if seconds >= _DURATION_UNITS[unit] and seconds % _DURATION_UNITS[unit] == 0:
            return f"{seconds / _DURATION_UNITS[unit]:.0f}{unit}"
    return f"{seconds:g}s"


def parse_size(value: object) -> int:
    """Bytes, from a whole number or from text such as `16MiB`, `10MB`, `512KiB`.

    Raises ValueError for anything else, and for 0.
    """
    match = _SIZE.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"{shown(value)} is not a size such as 16777216, 512KiB or 16MiB")
    size = int(match["number"]) * _SIZE_UNITS[match["unit"].upper()]
    if size <= 0:
        raise ValueError(f"{shown(value)} must be more than 0")
    return size


def _format_size(size: int) -> str:
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if size % _SIZE_UNITS[unit.upper()] == 0), "")
    return f"{size // _SIZE_UNITS[unit.upper()]}{unit}"


def parse_list(value: object) -> tuple[str, ...]:
    """Texts, from a YAML list, the JSON text of one, or comma-separated text; blank elements are dropped."""
    items = _split_list(value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError(f"{shown(value)} is not a list such as a,b")  # noqa: TRY004 - pydantic wants ValueError
    for item in items:
        if not isinstance(item, str):
            raise ValueError(f"an element {_NOT_TEXT}")  # noqa: TRY004 - pydantic wants ValueError
    return tuple(item.strip() for item in items if item.strip())


def _split_list(text: str) -> object:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        items = None
    if isinstance(items, list):
        return items
    # A glob may begin with a bracket as JSON does, but never with a bracket and a quote.
    if re.match(r'\s*\[\s*"', text):
        raise ValueError(f"{shown(text)} begins like a JSON list and is not one")
    return text.split(",")


def _word_parser(words: Mapping[str, Word], named: str) -> Callable[[object], Word]:
    """A parser that takes only these words, in any case; `named` lists them in its error."""

    def parse(value: object) -> Word:
        word = str(value).strip().lower()
        if word not in words:
            raise ValueError(f"{shown(value)} is not {named}")
        return words[word]

    return parse


_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_LEVELS = {level: level for level in ("debug", "info", "warning", "error")}
parse_boolean = _word_parser({**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}, "true or false")
_parse_level = _word_parser({**_LEVELS, "warn": "warning"}, "debug, info, warning or error")
_parse_format = _word_parser({"logfmt": "logfmt", "json": "json"}, "logfmt or json")
_parse_strategy = _word_parser({"priority": "priority", "plain": "plain"}, "priority or plain")


def _parse_rate(value: object) -> float:
    number = _number(value)
    if number is None or number <= 0:
        raise ValueError(f"{shown(value)} is not a number above 0")
    return number


def _parse_count(value: object) -> int:
    number = _number(value)
    if number is None or number < 1 or not number.is_integer():
        raise ValueError(f"{shown(value)} is not a whole number of at least 1")
    return int(number)


def _parse_ordinal(value: object) -> int:
    match = _ORDINAL.fullmatch(str(value).strip())
    if not match:
        raise ValueError(f"{shown(value)} is not a whole number from 0, or a pod's name with one, as kimono-exporter-3")
    return int(match["ordinal"])


def _parse_optional_text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{shown(value)} {_NOT_TEXT}")
    return (value or "").strip() or None


def parse_path(value: object) -> Path | None:
    """A path, or None if it is blank. Raises ValueError for what can't be one."""
    text = _parse_optional_text(str(value) if isinstance(value, Path) else value)
    if text is not None and "\0" in text:
        raise ValueError(f"{shown(text)} is not a path")
    return Path(text) if text else None


def parse_secret(value: object) -> SecretStr | None:
    """A secret without the white space at its end, or None if it is blank. No error shows what was written."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if text is not None and not isinstance(text, str):
        raise ValueError(_NOT_TEXT)
    secret = (text or "").rstrip()
    if not secret.isprintable():
        raise ValueError("holds a line break or another control character")
    return SecretStr(secret) if secret else None


def _parse_url(value: object) -> str:
    """The base URL without a slash at its end. A URL that may hold a password is not shown."""
    text = value.strip() if isinstance(value, str) else ""
    if "@" in text:
        raise ValueError("must not hold a user name or a password: credentials have settings of their own")
    if "?" in text or "#" in text:
        raise ValueError("must not have a query or a fragment: give the scheme, the host and the port alone")
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where the port is not one
    except ValueError:
        parts = urlsplit("")  # no scheme and no host
    # Of what is not printable, `urlsplit` silently drops some.
    plain = text.isprintable() and " " not in text
    if not plain or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{shown(value)} is not an http(s) URL")
    if "/v2/interop" in parts.path:
        raise ValueError("must not have /v2/interop in it: the exporter adds that itself")
    return text.rstrip("/")


def _parse_proxy_url(value: object) -> str | None:
    text = _parse_optional_text(value)
    if text and "@" in text:
        raise ValueError("must not hold a user name or a password: put the whole URL in a file for api.proxy_url_file")
    return check_proxy(text) if text else None


def is_insecure(url: str) -> bool:
    """Whether credentials sent to this URL would cross a network without TLS."""
    parts = urlsplit(url)
    address = _ip_address(parts.hostname or "")
    loopback = parts.hostname == "localhost" or (address is not None and address.is_loopback)
    return parts.scheme != "https" and not loopback


def split_address(text: str) -> tuple[str | None, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `[IPv6]:PORT`.

    The host is None for all addresses of both families, which is what `:PORT` and `[::]:PORT` mean in
    Prometheus and its exporters; `0.0.0.0` is all IPv4 addresses. Raises ValueError for anything else.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > MAX_PORT:
        raise ValueError(f"{shown(text)} has no port between 0 and {MAX_PORT} after its last colon")
    if host.startswith("[") and host.endswith("]"):
        address = _ip_address(host[1:-1])
        if not isinstance(address, ipaddress.IPv6Address):
            raise ValueError(f"{shown(text)} has no IPv6 address in its brackets")
        return (None if address.is_unspecified else host[1:-1]), int(port)
    if ":" in host:
        raise ValueError("an IPv6 address needs brackets, as in [::1]:10120")
    digits_only = re.fullmatch("[0-9.]+", host)
    if host and (not _HOST_NAME.fullmatch(host) or (digits_only and _ip_address(host) is None)):
        raise ValueError(f"{shown(text)} has no host name or IP address before its colon")
    return host or None, int(port)


def _parse_listen_address(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        raise ValueError(f"{shown(value)} is not an address such as 0.0.0.0:10120, :10120 or [::]:10120")
    split_address(text)
    return text


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class SettingType:
    """How a setting's value is written: its type in the documentation, its default, its placeholder in `--help`.

    Without a `metavar`, the placeholder is the setting's own name.
    """

    name: str
    format: Callable[[Any], str] = str
    metavar: str = ""
    secret: bool = False


_NUMBER_TYPE = SettingType("number", "{:g}".format)
_TEXT_TYPE = SettingType("text")

Duration = Annotated[float, BeforeValidator(parse_duration), SettingType("duration", _format_duration, "DURATION")]
Size = Annotated[int, BeforeValidator(parse_size), SettingType("size", _format_size, "SIZE")]
TextList = Annotated[tuple[str, ...], BeforeValidator(parse_list), SettingType("list", ",".join, "A,B")]
Boolean = Annotated[
    bool, BeforeValidator(parse_boolean), SettingType("boolean", lambda on: str(on).lower(), "true|false")
]
Rate = Annotated[float, BeforeValidator(_parse_rate), _NUMBER_TYPE]
Count = Annotated[int, BeforeValidator(_parse_count), _NUMBER_TYPE]
Ordinal = Annotated[int, BeforeValidator(_parse_ordinal), _NUMBER_TYPE]
OptionalText = Annotated[str | None, BeforeValidator(_parse_optional_text), _TEXT_TYPE]
OptionalPath = Annotated[Path | None, BeforeValidator(parse_path), SettingType("path", metavar="FILE")]
Secret = Annotated[SecretStr | None, BeforeValidator(parse_secret), SettingType("text", secret=True)]
OptionalProxyUrl = Annotated[str | None, BeforeValidator(_parse_proxy_url), SettingType("text", metavar="URL")]
Url = Annotated[str, BeforeValidator(_parse_url), _TEXT_TYPE]
ListenAddress = Annotated[str, BeforeValidator(_parse_listen_address), _TEXT_TYPE]
Level = Annotated[str, BeforeValidator(_parse_level), _TEXT_TYPE]
Format = Annotated[str, BeforeValidator(_parse_format), _TEXT_TYPE]
Strategy = Annotated[str, BeforeValidator(_parse_strategy), _TEXT_TYPE]
