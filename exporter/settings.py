"""What has the operator set, where, and can it be used?

One tree of settings serves the flags, the environment, the YAML file and the documentation: each leaf of
`Settings` has a path (`api.url`), and from it a flag (`--api.url`) and a variable (`KIMONO_API_URL`).
`load` reads all three places and answers with `Settings`, or with every problem at once.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import ipaddress
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Protocol
from urllib.parse import SplitResult, urlsplit

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

ENV_PREFIX = "KIMONO_"
MAX_PORT = 65_535
_SHOWN_LENGTH = 80  # of a refused value, in an error line

# ---------------------------------------------------------------------------------------------------------
# What goes wrong
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """One thing that keeps the settings from being used; `str()` is its line for the operator."""

    setting: str
    message: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.message}"


class SettingsError(Exception):
    """The settings can't be used; `problems` has all that is wrong, `str()` a line for each."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class SecretUnreadableError(Exception):
    """A file can't be read as a secret or as settings; says which and why, never what is in it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"can't read {str(path)!r}: {reason}")
        self.path = path
        self.reason = reason


# ---------------------------------------------------------------------------------------------------------
# From what was written to a value. Each parser takes text or what YAML made of it, and raises ValueError
# with the end of a sentence that begins with the setting's name.
# ---------------------------------------------------------------------------------------------------------

_DURATION_UNITS = {"y": 31_536_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile("".join(f"(?:(?P<{unit}>[0-9]+){unit})?" for unit in _DURATION_UNITS))
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_SIZE = re.compile("(?P<number>[0-9]{1,18}) ?(?P<unit>[KMG]i?B|B|)", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")


def _shown(value: object) -> str:
    """The value as an error line shows it: quoted, on one line, and short.

    What is inside a mapping or a list is not shown: a wrong indent may have put a secret there.
    """
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 3] + "..."


def _plain_number(value: object) -> float | None:
    """The value as a finite float, if it is a number or the plain decimal text of one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
        return None
    if not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer beyond what a float can hold
        return None
    return number if math.isfinite(number) else None


def parse_duration(value: object) -> float:
    """Seconds, from seconds (`90`, `0.5`) or from Prometheus' way to write them (`30s`, `1h30m`).

    Raises ValueError for anything else, and for anything that is not more than 0.
    """
    seconds = _plain_number(value)
    if seconds is None and isinstance(value, str) and value.strip():
        match = _DURATION.fullmatch(value.strip())
        if match:
            seconds = sum(float(match[unit] or 0) * length for unit, length in _DURATION_UNITS.items())
    if seconds is None or not math.isfinite(seconds):
        raise ValueError(f"{_shown(value)} is not a duration such as 90, 30s, 5m or 1h30m")
    if seconds <= 0:
        raise ValueError(f"{_shown(value)} must be more than 0")
    return seconds


def parse_size(value: object) -> int:
    """Bytes, from a whole number or from text such as `16MiB`, `10MB`, `512KiB`.

    Raises ValueError for anything else, and for 0.
    """
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"{_shown(value)} is not a size such as 16777216, 512KiB or 16MiB")
    size = int(match["number"]) * _SIZE_UNITS[match["unit"].lower()]
    if size <= 0:
        raise ValueError(f"{_shown(value)} must be more than 0")
    return size


def parse_list(value: object) -> tuple[str, ...]:
    """Texts, from a YAML list, the JSON text of one, or comma-separated text; blank elements are dropped."""
    items = _list_items(value) if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError(f"{_shown(value)} is not a list such as a,b")  # noqa: TRY004 - pydantic wants ValueError
    for item in items:
        if not isinstance(item, str):
            raise ValueError(f"the element {_shown(item)} is not text: put it in quotes")  # noqa: TRY004 - pydantic wants it
    return tuple(item.strip() for item in items if item.strip())


def _list_items(text: str) -> object:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        items = None
    if isinstance(items, list):
        return items
    # A glob may begin with a bracket as JSON does, but never with a bracket and a quote.
    if re.match(r'\s*\[\s*"', text):
        raise ValueError(f"{_shown(text)} begins like a JSON list and is not one")
    return text.split(",")


def parse_boolean(value: object) -> bool:
    """True or False, from what YAML makes of them or from true/false, yes/no, on/off, 1/0."""
    found = _BOOLEANS.get(str(value).strip().lower())
    if found is None or not isinstance(value, str | bool | int):
        raise ValueError(f"{_shown(value)} is not true or false")
    return found


def _parse_rate(value: object) -> float:
    number = _plain_number(value)
    if number is None or number <= 0:
        raise ValueError(f"{_shown(value)} is not a number above 0")
    return number


def _parse_count(value: object) -> int:
    number = _plain_number(value)
    if number is None or number < 1 or not number.is_integer():
        raise ValueError(f"{_shown(value)} is not a whole number of at least 1")
    return int(number)


def _parse_optional_text(value: object) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is not text: put it in quotes")  # noqa: TRY004 - pydantic wants ValueError
    return value.strip()


def _parse_path(value: object) -> Path | None:
    text = _parse_optional_text(str(value) if isinstance(value, Path) else value)
    if text is not None and "\0" in text:
        raise ValueError(f"{_shown(text)} is not a path")
    return Path(text) if text else None


def _parse_secret(value: object) -> SecretStr | None:
    """A secret, or None if it is blank. What was written appears in no message."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError("is not text: put it in quotes")  # noqa: TRY004 - pydantic wants ValueError
    secret = text.rstrip()
    if not secret.isprintable():
        raise ValueError("holds a line break or another control character")
    return SecretStr(secret) if secret else None


def _parse_level(value: object) -> str:
    level = value.strip().lower() if isinstance(value, str) else ""
    level = "warning" if level == "warn" else level
    if level not in {"debug", "info", "warning", "error"}:
        raise ValueError(f"{_shown(value)} is not debug, info, warning or error")
    return level


def _parse_format(value: object) -> str:
    name = value.strip().lower() if isinstance(value, str) else ""
    if name not in {"logfmt", "json"}:
        raise ValueError(f"{_shown(value)} is not logfmt or json")
    return name


def _parse_url(value: object) -> str:
    """The base URL without a slash at its end. A URL that may hold a password is not shown."""
    text = value.strip() if isinstance(value, str) else ""
    if "@" in text:
        raise ValueError("must not hold a user name or a password: credentials have settings of their own")
    if "?" in text or "#" in text:
        raise ValueError("must not have a query or a fragment: give the scheme, the host and the port alone")
    parts = _split_url(text)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{_shown(value)} is not an http(s) URL")
    if "/v2/interop" in parts.path:
        raise ValueError(f"{_shown(value)} must not have /v2/interop in it: the exporter adds that itself")
    return text.rstrip("/")


def _split_url(text: str) -> SplitResult | None:
    """The parts of a URL, or None if it has none, or characters that `urlsplit` would silently drop."""
    if any(character.isspace() or not character.isprintable() for character in text):
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where the port is not one
    except ValueError:
        return None
    return parts


def _parse_listen_address(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        raise ValueError(f"{_shown(value)} is not an address such as 0.0.0.0:10120, :10120 or [::]:10120")
    split_address(text)
    return text


def split_address(text: str) -> tuple[str | None, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `[IPv6]:PORT`.

    The host is None for all addresses of both families, which is what `:PORT` and `[::]:PORT` mean in
    Prometheus and its exporters; `0.0.0.0` is all IPv4 addresses. Raises ValueError for anything else.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > MAX_PORT:
        raise ValueError(f"{_shown(text)} has no port between 0 and {MAX_PORT} after its last colon")
    if host.startswith("[") and host.endswith("]"):
        address = _ip_address(host[1:-1])
        if not isinstance(address, ipaddress.IPv6Address):
            raise ValueError(f"{_shown(text)} has no IPv6 address in its brackets")
        return (None if address.is_unspecified else host[1:-1]), int(port)
    if ":" in host:
        raise ValueError(f"{_shown(text)}: an IPv6 address needs brackets, as in [::1]:10120")
    digits_only = re.fullmatch("[0-9.]+", host)
    if host and (not _HOST_NAME.fullmatch(host) or (digits_only and _ip_address(host) is None)):
        raise ValueError(f"{_shown(text)} has no host name or IP address before its colon")
    return host or None, int(port)


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _format_duration(seconds: float) -> str:
    """The shortest way to write whole seconds in one unit that `parse_duration` reads."""
    for unit in ("d", "h", "m"):
        if seconds >= _DURATION_UNITS[unit] and seconds % _DURATION_UNITS[unit] == 0:
            return f"{seconds / _DURATION_UNITS[unit]:.0f}{unit}"
    return f"{seconds:g}s"


def _format_size(size: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if size % _SIZE_UNITS[unit.lower()] == 0:
            return f"{size // _SIZE_UNITS[unit.lower()]}{unit}"
    return str(size)


# ---------------------------------------------------------------------------------------------------------
# The tree
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Kind:
    """How a leaf's value is written, as the documentation calls it."""

    name: str
    secret: bool = False


Duration = Annotated[float, BeforeValidator(parse_duration), _Kind("duration")]
Size = Annotated[int, BeforeValidator(parse_size), _Kind("size")]
TextList = Annotated[tuple[str, ...], BeforeValidator(parse_list), _Kind("list")]
Boolean = Annotated[bool, BeforeValidator(parse_boolean), _Kind("boolean")]
Rate = Annotated[float, BeforeValidator(_parse_rate), _Kind("number")]
Count = Annotated[int, BeforeValidator(_parse_count), _Kind("number")]
OptionalText = Annotated[str | None, BeforeValidator(_parse_optional_text), _Kind("text")]
OptionalPath = Annotated[Path | None, BeforeValidator(_parse_path), _Kind("path")]
Secret = Annotated[SecretStr | None, BeforeValidator(_parse_secret), _Kind("text", secret=True)]
Url = Annotated[str, BeforeValidator(_parse_url), _Kind("text")]
ListenAddress = Annotated[str, BeforeValidator(_parse_listen_address), _Kind("text")]
Level = Annotated[str, BeforeValidator(_parse_level), _Kind("text")]
Format = Annotated[str, BeforeValidator(_parse_format), _Kind("text")]
SecretName = Literal["key", "client_secret", "token"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


# The settings of `Api` that say who we are.
CREDENTIALS = (
    "key",
    "key_file",
    "client_id",
    "client_secret",
    "client_secret_file",
    "token",
    "token_file",
    "tenants_file",
)


class Config(_Section):
    """Where the settings themselves come from."""

    file: OptionalPath = Field(default=None, description="YAML file with any of the settings below")


class Api(_Section):
    """The Interop API, and the credentials for it."""

    url: Url = Field(
        default="https://api.us2.kimonocloud.com",
        description="Base URL of the API, without /v2/interop; each region has its own",
    )
    key: Secret = Field(default=None, description="API key of an account")
    key_file: OptionalPath = Field(default=None, description="File that holds the API key")
    client_id: OptionalText = Field(default=None, description="OAuth2 client of an account")
    client_secret: Secret = Field(default=None, description="Secret of the OAuth2 client")
    client_secret_file: OptionalPath = Field(
        default=None, description="File that holds the secret of the OAuth2 client"
    )
    token: Secret = Field(default=None, description="Ready-made bearer token of an account")
    token_file: OptionalPath = Field(default=None, description="File that holds the bearer token")
    tenants_file: OptionalPath = Field(
        default=None, description="YAML list of tenants' own credentials, for those without account credentials"
    )
    allow_insecure: Boolean = Field(
        default=False, description="Allow http to hosts other than this one: credentials then travel unprotected"
    )
    rate_limit: Rate = Field(
        default=20.0,
        description="Requests a second for everything sent, pages, tokens and retries included; may be a fraction",
    )
    concurrency: Count = Field(default=20, description="Requests in flight at a time")
    timeout: Duration = Field(default=30.0, description="Longest time for one whole request")
    max_response_bytes: Size = Field(default=16 * 2**20, description="Largest reply that is read")

    def secret(self, name: SecretName) -> str | None:
        """The secret of that name as it is now, or None if it is not set.

        A secret that was given as a file is read at each call. Raises SecretUnreadableError.
        """
        path: Path | None = getattr(self, f"{name}_file")
        if path is not None:
            return read_secret(path)
        value: SecretStr | None = getattr(self, name)
        return None if value is None else value.get_secret_value()


class Discovery(_Section):
    """Which tenants to watch. Patterns match a tenant's id or name; *, ? and [abc] are wildcards."""

    interval: Duration = Field(default=300.0, description="Time from one listing of the tenants to the next")
    accounts: TextList = Field(default=(), description="Ids of the accounts whose tenants are watched; empty for all")
    integrations: TextList = Field(
        default=(), description="Ids of the integrations whose tenants are watched; empty for all"
    )
    include: TextList = Field(default=(), description="Patterns of the tenants that are watched; empty for all")
    exclude: TextList = Field(default=(), description="Patterns of the tenants that are not watched; wins over include")


class Collector(_Section):
    """One collector: whether it runs, and how often."""

    enabled: Boolean = Field(description="whether to read it")
    interval: Duration = Field(description="time from one read to the next")


def _collector(interval: float, description: str, *, enabled: bool = True) -> Any:  # noqa: ANN401 - as Field does
    return Field(default=Collector(enabled=enabled, interval=interval), description=description)


class Collectors(_Section):
    """What to read, and how often."""

    # `dict(settings.collectors)` gives each collector by its name.

    state: Collector = _collector(60.0, "Flags of the tenant (suspended, rollover, setup, mass change)")
    ingestions: Collector = _collector(60.0, "Ingestions, running and ended")
    schedules: Collector = _collector(300.0, "Schedules")
    rollovers: Collector = _collector(900.0, "Rollovers")
    application: Collector = _collector(300.0, "Application of an integration's tenant")
    scoping: Collector = _collector(3600.0, "Counts of schools and courses in scope", enabled=False)
    account: Collector = _collector(
        3600.0, "Counts of actors and clouds, and integration versions (needs account credentials)", enabled=False
    )


class Web(_Section):
    """Where the exporter is scraped."""

    listen_address: ListenAddress = Field(
        default="0.0.0.0:10120", description="Where to listen: HOST:PORT, :PORT or [IPv6]:PORT; port 0 takes a free one"
    )
    config_file: OptionalPath = Field(
        default=None, description="TLS and basic auth, in the format of the Prometheus exporter toolkit"
    )

    def listen(self) -> tuple[str | None, int]:
        """Host and port to bind; a host of None is every address of both families."""
        return split_address(self.listen_address)


class Log(_Section):
    """What the exporter says on standard error."""

    level: Level = Field(default="info", description="Least severe lines shown: debug, info, warning or error")
    format: Format = Field(default="logfmt", description="Form of the lines: logfmt or json")


class Settings(BaseSettings):
    """All settings. `load` makes it; `Settings()` is the defaults, and reads nothing.

    `warnings` has a line for each thing worth saying that keeps nothing from working.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, nested_model_default_partial_update=True
    )

    config: Config = Config()
    api: Api = Api()
    discovery: Discovery = Discovery()
    collectors: Collectors = Collectors()
    web: Web = Web()
    log: Log = Log()
    warnings: tuple[str, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's own names don't fit ours
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the code gives, then the layers of `load`, which come as one more argument; the first wins."""
        given = init_settings()
        layers: tuple[_Layer, ...] = given.pop("layers", ())
        return (InitSettingsSource(settings_cls, given), *layers)


# ---------------------------------------------------------------------------------------------------------
# The leaves
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leaf:
    """One setting, as flags, environment and documentation see it.

    `flag` is None for a secret; `default` is written as a person would, and empty where there is none.
    """

    path: str
    flag: str | None
    env: str
    kind: str
    default: str
    description: str
    secret: bool

    @property
    def ways(self) -> str:
        """How to set it, as the end of an error line."""
        if self.secret:
            return f"set {self.env}, --{self.path}_file or {self.path} in the file"
        if self.path == "config.file":
            return f"set {self.flag} or {self.env}"
        return f"set {self.flag}, {self.env} or {self.path} in the file"


@functools.cache
def leaves() -> tuple[Leaf, ...]:
    """Every setting there is, in the order of the tree."""
    sections = ((name, info.default) for name, info in Settings.model_fields.items())
    return tuple(
        leaf for name, section in sections if isinstance(section, BaseModel) for leaf in _leaves_below(name, section)
    )


def _leaves_below(path: str, section: BaseModel, about: str = "") -> Iterator[Leaf]:
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves_below(f"{path}.{name}", value, f"{info.description}: ")
        else:
            yield _leaf(f"{path}.{name}", info, value, about)


def _leaf(path: str, info: FieldInfo, default: object, about: str) -> Leaf:
    kind = next(mark for mark in info.metadata if isinstance(mark, _Kind))
    return Leaf(
        path=path,
        flag=None if kind.secret else f"--{path}",
        env=ENV_PREFIX + path.replace(".", "_").upper(),
        kind=kind.name,
        default=_default_text(kind.name, default),
        description=f"{about}{info.description}",
        secret=kind.secret,
    )


def _default_text(kind: str, default: Any) -> str:  # noqa: ANN401 - a leaf can hold any of its types
    if default is None or default == ():
        return ""
    if kind == "duration":
        return _format_duration(default)
    if kind == "size":
        return _format_size(default)
    if kind == "boolean":
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


@functools.cache
def _leaf_by_path() -> dict[str, Leaf]:
    return {leaf.path: leaf for leaf in leaves()}


def _problem(path: str, message: str) -> Problem:
    """A problem with one setting; the ways to set it are added."""
    return Problem(path, f"{message}; {_leaf_by_path()[path].ways}")


# ---------------------------------------------------------------------------------------------------------
# Flags
# ---------------------------------------------------------------------------------------------------------


class _Group(Protocol):
    """What `_add_flag` needs of argparse, whose own class for it is private."""

    def add_argument(self, *name_or_flags: str, **kwargs: Any) -> argparse.Action: ...  # noqa: ANN401 - argparse's own


class _RefuseSecret(argparse.Action):
    """Takes note that a secret was given as a flag, so that `load` can say so; forgets its value."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse calls it so
        namespace: argparse.Namespace,
        values: object,  # noqa: ARG002 - the secret, which goes no further
        option_string: str | None = None,  # noqa: ARG002 - argparse calls it so
    ) -> None:
        setattr(namespace, self.dest, "")


def add_flags(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add a flag for each setting but those `without`. A flag not given leaves nothing in the namespace.

    The parser must have been made with `allow_abbrev=False`: else a cut-off name is taken for a longer one.
    `given_flags` picks the result out of the namespace.
    """
    for name, info in Settings.model_fields.items():
        if isinstance(info.default, BaseModel):
            group = parser.add_argument_group(name, type(info.default).__doc__)
            for leaf in leaves():
                if leaf.path.startswith(f"{name}.") and leaf.path not in without:
                    _add_flag(group, leaf)


def _add_flag(group: _Group, leaf: Leaf) -> None:
    if leaf.secret:
        group.add_argument(
            f"--{leaf.path}",
            dest=leaf.path,
            action=_RefuseSecret,
            nargs="?",
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )
        return
    default = f"default {leaf.default}; " if leaf.default else ""
    text = f"{leaf.description} ({default}{leaf.env})".replace("%", "%%")
    optional_value = {"nargs": "?", "const": "true"} if leaf.kind == "boolean" else {}
    group.add_argument(
        f"--{leaf.path}",
        dest=leaf.path,
        metavar=_metavar(leaf),
        default=argparse.SUPPRESS,
        help=text,
        **optional_value,
    )


def _metavar(leaf: Leaf) -> str:
    by_kind = {"duration": "DURATION", "list": "A,B", "size": "SIZE", "boolean": "true|false", "path": "FILE"}
    return by_kind.get(leaf.kind, leaf.path.rpartition(".")[2].upper())


def given_flags(namespace: argparse.Namespace) -> dict[str, str]:
    """The settings that were given as flags, by path; whatever else the parser has read is left out."""
    return {path: value for path, value in vars(namespace).items() if path in _leaf_by_path()}


# ---------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------


def _read_text(path: Path) -> str:
    """The text of a file. Raises SecretUnreadableError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except ValueError:  # decoding, whose own message would show what is in the file
        reason = "it is not UTF-8 text"
    raise SecretUnreadableError(path, reason)


def read_secret(path: Path) -> str:
    """The secret in a file, without the white space at its end.

    Raises SecretUnreadableError, also for a file that is empty or has more than one line.
    """
    secret = _read_text(path).rstrip()
    if not secret:
        raise SecretUnreadableError(path, "it is empty")
    if not secret.isprintable():
        raise SecretUnreadableError(path, "it has more than one line, or a control character")
    return secret


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml is not everywhere
    """YAML in which no key stands twice: one of the two would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's own signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for (key, _), name in zip(node.value, keys, strict=True):
            if isinstance(name, str) and keys.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, "a key stands twice", key.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _read_yaml(path: Path) -> object:
    """What a YAML file holds. Raises SecretUnreadableError, with the place of a fault and none of the text."""
    text = _read_text(path)
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a safe loader, and stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        if error.problem == "a key stands twice":
            raise SecretUnreadableError(path, f"a key stands twice{place}") from None
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: an impossible date or number
        place = ""
    raise SecretUnreadableError(path, f"it is not YAML{place}")


def _near(name: str, known: Iterator[str] | tuple[str, ...]) -> str:
    """The known name that may have been meant, as the end of a sentence; or nothing."""
    matches = difflib.get_close_matches(name, tuple(known), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


class _Document(NamedTuple):
    """The settings of a YAML file by path, and what is wrong with the rest of it."""

    values: dict[str, object]
    problems: list[Problem]


def _read_document(path: Path) -> _Document:
    try:
        content = _read_yaml(path)
    except SecretUnreadableError as error:
        return _Document({}, [_problem("config.file", str(error))])
    if content is None:  # an empty file sets nothing
        return _Document({}, [])
    if not isinstance(content, dict):
        return _Document({}, [_problem("config.file", f"{str(path)!r} is not a YAML mapping of sections")])
    document = _Document({}, [])
    _walk(content, "", document)
    return document


def _walk(mapping: dict[object, object], prefix: str, document: _Document) -> None:
    """Sort the keys of one mapping into known settings, sections to walk, and problems."""
    for key, value in mapping.items():
        name = key if isinstance(key, str) and key.isprintable() else repr(key)
        path = prefix + name
        nested = "." not in name
        is_section = nested and any(leaf.path.startswith(f"{path}.") for leaf in leaves())
        if path == "config.file":
            document.problems.append(_problem(path, "can't be set in the file that it names"))
        elif nested and path in _leaf_by_path():
            document.values[path] = value
        elif is_section and isinstance(value, dict):
            _walk(value, f"{path}.", document)
        elif is_section and value is not None:
            document.problems.append(Problem(path, "is a section: it must hold a mapping of settings"))
        elif not is_section:
            document.problems.append(_unknown_key(path, nested=nested))


def _unknown_key(path: str, *, nested: bool) -> Problem:
    if not nested and path in _leaf_by_path():
        section, _, name = path.rpartition(".")
        return Problem(path, f"is not found under one key: write {name} in a mapping below {section}")
    known = (leaf.path for leaf in leaves())
    return Problem(path, f"there is no such setting, but the file has it{_near(path, known)}")


# ---------------------------------------------------------------------------------------------------------
# Loading
# ---------------------------------------------------------------------------------------------------------


class _Layer(PydanticBaseSettingsSource):
    """One place where settings are given: `values` by path, from which pydantic gets the tree that it expects."""

    def __init__(self, place: Literal["flag", "environment", "file"], values: Mapping[str, object]) -> None:
        super().__init__(Settings)
        self.place = place
        self.values = values

    def origin(self, leaf: Leaf) -> str:
        """Where a value of this layer was written, for an error line."""
        return {"flag": f"--{leaf.path}", "environment": leaf.env, "file": "the file"}[self.place]

    def without(self, paths: set[str]) -> _Layer:
        """The same layer, as if nothing had been given for these paths."""
        return _Layer(self.place, {path: value for path, value in self.values.items() if path not in paths})

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:  # noqa: ARG002 - theirs
        """The part of the tree below one section."""
        return self().get(field_name), field_name, True

    def __call__(self) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for path, value in self.values.items():
            *sections, name = path.split(".")
            place = tree
            for section in sections:
                place = place.setdefault(section, {})
            place[name] = value
        return tree


def load(flags: Mapping[str, str], environ: Mapping[str, str], *, needs_credentials: bool = True) -> Settings:
    """The settings from flags, environment and file; a flag wins over the environment, that over the file.

    `flags` has the values by path (`api.url`), as `given_flags` gives them; what else is in it is ignored.
    With `needs_credentials` off, credentials are neither asked for nor checked. Raises SettingsError with
    every problem at once.
    """
    given = {path: value for path, value in flags.items() if path in _leaf_by_path()}
    problems = [_secret_as_flag(leaf) for leaf in leaves() if leaf.secret and leaf.path in given]
    flag_layer = _Layer("flag", {path: value for path, value in given.items() if not _leaf_by_path()[path].secret})
    environment_layer = _Layer("environment", dict(_from_environment(environ)))
    file_layer, file_problems = _file_layer(flag_layer, environment_layer)
    layers = (flag_layer, environment_layer, file_layer)
    problems += file_problems
    settings, invalid = _validate(layers)
    problems += invalid
    settings = settings.model_copy(update={"warnings": unknown_variables(environ)})
    unusable = {problem.setting for problem in problems}
    problems += _insecure_url(settings, unusable)
    if needs_credentials and "config.file" not in unusable and not unusable & set(_CREDENTIALS):
        problems += _credential_problems(settings)
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """A warning for each KIMONO_… variable that is no setting.

    They are no error, as Kubernetes gives every pod variables that are named after the services around it.
    """
    known = tuple(leaf.env for leaf in leaves())
    # A service named after the program, as most are, gives every pod KIMONO_EXPORTER_PORT and the like.
    ours = (name for name in sorted(environ) if name.startswith(ENV_PREFIX) and "KIMONO_EXPORTER_" not in name)
    strangers = (name for name in ours if name not in known)
    return tuple(f"{name}: ignored, as there is no such setting{_near(name, known)}" for name in strangers)


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    for leaf in leaves():
        value = environ.get(leaf.env)
        # An empty secret is what a variable that was never filled looks like.
        if value is not None and not (leaf.secret and not value.strip()):
            yield leaf.path, value


def _secret_as_flag(leaf: Leaf) -> Problem:
    return Problem(
        leaf.path, f"a secret is not accepted as a flag, as others could see it; use {leaf.env} or --{leaf.path}_file"
    )


def _file_layer(*above: _Layer) -> tuple[_Layer, list[Problem]]:
    """What the YAML file says, if one of the layers above names one."""
    named = next((layer.values["config.file"] for layer in above if "config.file" in layer.values), None)
    try:
        path = _parse_path(named)
    except ValueError:  # `_validate` will say so
        path = None
    if path is None:
        return _Layer("file", {}), []
    document = _read_document(path)
    # A key with nothing behind it is a setting left out.
    values = {path: value for path, value in document.values.items() if value is not None}
    return _Layer("file", values), document.problems


def _validate(layers: tuple[_Layer, ...]) -> tuple[Settings, list[Problem]]:
    """The settings, with defaults in place of the values that are wrong, and a problem for each of those.

    Going on without the wrong values lets the checks across settings have their say in the same run.
    """
    try:
        return Settings.model_validate({"layers": layers}), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    messages = {".".join(str(part) for part in detail["loc"]): _message(detail) for detail in details}
    problems = [_problem(path, f"{message} (given by {_origin(path, layers)})") for path, message in messages.items()]
    usable = tuple(layer.without(set(messages)) for layer in layers)
    return Settings.model_validate({"layers": usable}), problems


def _message(detail: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails, whose ctx is untyped
    return str(detail["ctx"]["error"])


def _origin(path: str, layers: tuple[_Layer, ...]) -> str:
    layer = next(layer for layer in layers if path in layer.values)
    return layer.origin(_leaf_by_path()[path])


def _insecure_url(settings: Settings, unusable: set[str]) -> list[Problem]:
    """Whether credentials would cross a network unprotected."""
    parts = urlsplit(settings.api.url)
    address = _ip_address(parts.hostname or "")
    loopback = parts.hostname == "localhost" or (address is not None and address.is_loopback)
    if parts.scheme == "https" or loopback or settings.api.allow_insecure or "api.allow_insecure" in unusable:
        return []
    message = "http would send credentials unprotected to another host: use https, or allow it with api.allow_insecure"
    return [_problem("api.url", f"{_shown(settings.api.url)}: {message}")]


# ---------------------------------------------------------------------------------------------------------
# Credentials
# ---------------------------------------------------------------------------------------------------------

_SECRETS: tuple[SecretName, ...] = ("key", "client_secret", "token")
_CREDENTIALS = (
    "api.key",
    "api.key_file",
    "api.client_id",
    "api.client_secret",
    "api.client_secret_file",
    "api.token",
    "api.token_file",
    "api.tenants_file",
)
_KIND_OF_CREDENTIAL = {
    "api.key": "an API key",
    "api.key_file": "an API key",
    "api.client_id": "an OAuth2 client",
    "api.client_secret": "an OAuth2 client",
    "api.client_secret_file": "an OAuth2 client",
    "api.token": "a bearer token",
    "api.token_file": "a bearer token",
    "api.tenants_file": "a tenants file",
}
_NO_CREDENTIALS = Problem(
    "api",
    "there are no credentials; set one of KIMONO_API_KEY (or --api.key_file), --api.client_id with "
    "KIMONO_API_CLIENT_SECRET (or --api.client_secret_file), KIMONO_API_TOKEN (or --api.token_file), or "
    "--api.tenants_file; `kimono-exporter demo` needs none",
)


def _credential_problems(settings: Settings) -> list[Problem]:
    """What is wrong with the credentials as a whole, then with each file that they are in."""
    given = [path for path in _CREDENTIALS if getattr(settings.api, path.removeprefix("api.")) is not None]
    if not given:
        return [_NO_CREDENTIALS]
    problems = [*_mixed_kinds(given), *_twins(given), *_half_client(given)]
    problems += [problem for name in _SECRETS for problem in _secret_file_problems(settings.api, name)]
    if settings.api.tenants_file is not None:
        problems += _tenants_file_problems(settings.api.tenants_file)
        if settings.collectors.account.enabled:
            message = "needs account credentials, and api.tenants_file has none; set it to false"
            problems.append(Problem("collectors.account.enabled", f"{message}, or use account credentials"))
    return problems


def _mixed_kinds(given: list[str]) -> Iterator[Problem]:
    by_kind = {_KIND_OF_CREDENTIAL[path]: path for path in reversed(given)}
    if len(by_kind) > 1:
        named = " and ".join(f"{kind} ({path})" for kind, path in reversed(by_kind.items()))
        yield Problem("api", f"more than one kind of credentials is set: {named}; keep one and unset the others")


def _twins(given: list[str]) -> Iterator[Problem]:
    for path in given:
        if f"{path}_file" in given:
            yield Problem(path, f"both {path} and {path}_file are set; keep one and unset the other")


def _half_client(given: list[str]) -> Iterator[Problem]:
    secret = next((path for path in ("api.client_secret", "api.client_secret_file") if path in given), None)
    if "api.client_id" in given and secret is None:
        yield _problem("api.client_secret", "is not set, but api.client_id is")
    if secret is not None and "api.client_id" not in given:
        yield _problem("api.client_id", f"is not set, but {secret} is")


def _secret_file_problems(api: Api, name: SecretName) -> Iterator[Problem]:
    try:
        api.secret(name)
    except SecretUnreadableError as error:
        yield _problem(f"api.{name}_file", str(error))


def _tenants_file_problems(path: Path) -> tuple[Problem, ...]:
    try:
        read_tenants_file(path)
    except SettingsError as error:
        return error.problems
    return ()


@dataclass(frozen=True)
class TenantCredentials:
    """The credentials of one tenant; `name` is for people, and the entry's number where it has none."""

    name: str
    kind: Literal["oauth2", "basic"]
    client_id: str
    client_secret: str = field(repr=False)


_ENTRY_KEYS = ("name", "type", "client_id", "client_secret", "client_secret_file")


def read_tenants_file(path: Path) -> tuple[TenantCredentials, ...]:
    """The credentials in a tenants file, in its order, with the secrets that it names by file.

    Raises SettingsError with every problem, each with the number of its entry (from 1).
    """
    try:
        entries = _read_yaml(path)
    except SecretUnreadableError as error:
        raise SettingsError((_problem("api.tenants_file", str(error)),)) from None
    if not isinstance(entries, list) or not entries:
        raise SettingsError((_problem("api.tenants_file", f"{str(path)!r} is not a YAML list of at least one tenant"),))
    tenants: list[TenantCredentials] = []
    problems: list[Problem] = []
    for number, entry in enumerate(entries, start=1):
        try:
            tenants.append(_tenant(entry, number, path.parent))
        except ValueError as error:
            problems.append(Problem("api.tenants_file", f"{str(path)!r}, entry {number}{error}"))
    if problems:
        raise SettingsError(tuple(problems))
    return tuple(tenants)


def _tenant(entry: object, number: int, folder: Path) -> TenantCredentials:
    """One entry. Raises ValueError with its name, if it has one, and what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError(": it must be a mapping with client_id and client_secret")  # noqa: TRY004 - one kind for all
    name = entry.get("name")
    label = f" ({name})" if isinstance(name, str) and name.isprintable() else ""
    try:
        _check_entry(entry)
        secret = _entry_secret(entry, folder)
    except (ValueError, SecretUnreadableError) as error:
        raise ValueError(f"{label}: {error}") from None
    return TenantCredentials(
        name=name.strip() if isinstance(name, str) and name.strip() else f"entry {number}",
        kind="basic" if entry.get("type") == "basic" else "oauth2",
        client_id=entry["client_id"].strip(),
        client_secret=secret,
    )


def _check_entry(entry: dict[object, object]) -> None:
    for key, value in entry.items():
        if key not in _ENTRY_KEYS:
            # The key itself is not shown: in a file like this one it may be a secret in the wrong place.
            allowed = ", ".join(_ENTRY_KEYS)
            raise ValueError(f"it has a key that is none of {allowed}{_near(str(key), _ENTRY_KEYS)}")
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{key} is not text: put it in quotes")
    if not _text(entry, "client_id"):
        raise ValueError("client_id is missing")
    if entry.get("type") not in {None, "oauth2", "basic"}:
        raise ValueError("type is not oauth2 or basic")


def _entry_secret(entry: dict[object, object], folder: Path) -> str:
    given, file = _text(entry, "client_secret"), _text(entry, "client_secret_file")
    if bool(given) == bool(file):
        raise ValueError("exactly one of client_secret and client_secret_file must be set")
    if file:
        return read_secret(folder / file)
    if not given.isprintable():
        raise ValueError("client_secret holds a line break or another control character")
    return given


def _text(entry: dict[object, object], key: str) -> str:
    value = entry.get(key)
    return value.rstrip() if isinstance(value, str) else ""
