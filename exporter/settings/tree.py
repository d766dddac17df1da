"""Defines all settings as one typed tree, and each setting's names, default and description.

A leaf of `Settings` has a path (`api.url`), and from it a flag (`--api.url`) and a variable (`KIMONO_API_URL`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, SkipValidation, create_model
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.api.credentials import BasicCredentials, BearerToken, ClientCredentials, Credentials
from exporter.api.egress import Egress
from exporter.collectors import COLLECTORS, Collector
from exporter.files import FileContentError, FileError, read_secret
from exporter.flags import flag_of
from exporter.settings import values
from exporter.settings.errors import Problem, SettingsError
from exporter.settings.web_path import WebPath
from exporter.shards import Shard

ENV_PREFIX = "KIMONO_"

# The settings of `Api` that hold credentials, by kind as error lines call it.
CREDENTIAL_KINDS = {
    "an API key": ("key", "key_file"),
    "an OAuth2 client": ("client_id", "client_secret", "client_secret_file"),
    "a bearer token": ("token", "token_file"),
    "a tenants file": ("tenants_file",),
}
CREDENTIALS = tuple(chain.from_iterable(CREDENTIAL_KINDS.values()))
NO_CREDENTIALS = Problem(
    "api",
    "there are no credentials; set one of KIMONO_API_KEY (or --api.key-file), --api.client-id with "
    "KIMONO_API_CLIENT_SECRET (or --api.client-secret-file), KIMONO_API_TOKEN (or --api.token-file), or "
    "--api.tenants-file; `kimono-exporter demo` needs none",
)


class Section(BaseModel):
    """A mapping of settings. It can't be changed, and no error shows what was given for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _setting(default: object, description: str) -> Any:  # noqa: ANN401 - as pydantic's Field
    return Field(default=default, description=description)


class ConfigSettings(Section):
    """Where the settings themselves come from."""

    file: values.OptionalPath = _setting(None, "YAML file with settings")


class ApiSettings(Section):
    """The Interop API, and the credentials for it."""

    url: values.Url = _setting(
        "https://api.us2.kimonocloud.com", "Base URL of the API, without /v2/interop; each region has its own"
    )
    key: values.Secret = _setting(None, "API key of an account")
    key_file: values.OptionalPath = _setting(None, "File with the API key")
    client_id: values.OptionalText = _setting(None, "OAuth2 client of an account")
    client_secret: values.Secret = _setting(None, "Secret of the OAuth2 client")
    client_secret_file: values.OptionalPath = _setting(None, "File with the secret of the OAuth2 client")
    token: values.Secret = _setting(None, "Bearer token of an account, issued elsewhere")
    token_file: values.OptionalPath = _setting(None, "File with the bearer token")
    tenants_file: values.OptionalPath = _setting(
        None, "YAML list of single tenants' credentials, instead of account credentials"
    )
    allow_insecure: values.Boolean = _setting(
        default=False, description="Allow http to other hosts: credentials are then sent unencrypted"
    )
    rate_limit: values.Rate = _setting(
        20.0, "Requests per second, shared by all requests: pages, token requests and retries included"
    )
    concurrency: values.Count = _setting(20, "Largest number of requests in flight at the same time")
    timeout: values.Duration = _setting(30.0, "Time limit of one whole request")
    max_response_bytes: values.Size = _setting(16 * 2**20, "Size limit of one response")
    proxy_url: values.OptionalProxyUrl = _setting(None, "Proxy for all requests to the API, as http://HOST:PORT")
    proxy_url_file: values.OptionalPath = _setting(
        None, "File with the URL of the proxy, which may then hold a user name and a password"
    )
    ca_file: values.OptionalPath = _setting(
        None, "PEM file with the CA certificates that are trusted instead of the system's"
    )

    def credentials(self) -> Credentials:
        """The account's credentials as they are now; secrets in files are read at each call.

        Raises FileError if such a file can't be used, SettingsError if there are no account credentials.
        """
        if key := self.secret("key"):
            return BasicCredentials(key, key)
        if token := self.secret("token"):
            return BearerToken(token)
        secret = self.secret("client_secret")
        if self.client_id and secret:
            return ClientCredentials(self.client_id, secret)
        raise SettingsError((NO_CREDENTIALS,))

    def secret(self, name: str) -> str | None:
        """The `key`, `token` or `client_secret` as it is now, or None if it is not set.

        A secret that was given as a file is read at each call. Raises FileError.
        """
        path: Path | None = getattr(self, f"{name}_file")
        if path is not None:
            return read_secret(path)
        value: SecretStr | None = getattr(self, name)
        return None if value is None else value.get_secret_value()


class DiscoverySettings(Section):
    """Which tenants to poll. Patterns match a tenant's id or name; *, ? and [abc] are wildcards."""

    interval: values.Duration = _setting(300.0, "Time from one discovery of the tenants to the next")
    accounts: values.TextList = _setting((), "Ids of the accounts whose tenants are polled; empty for all")
    integrations: values.TextList = _setting((), "Ids of the integrations whose tenants are polled; empty for all")
    include: values.TextList = _setting((), "Patterns of the tenants that are polled; empty for all")
    exclude: values.TextList = _setting((), "Patterns of the tenants that are not polled; wins over include")


def _collector_section(collector: type[Collector[Any]]) -> Section:
    name = collector.name
    enabled = _setting(collector.enabled_by_default, f"Enable the {name} collector. {collector.description}")
    interval = _setting(collector.default_interval, f"Poll interval of the {name} collector")
    fields: Any = {"enabled": (values.Boolean, enabled), "interval": (values.Duration, interval)}
    return create_model(name, __base__=Section, **fields)()


# Each collector's section has `enabled` and `interval`; `dict(settings.collectors)` gives it by the collector's name.
_COLLECTOR_SECTIONS = {each.name: _collector_section(each) for each in COLLECTORS}
_FIELDS: Any = {name: (type(section), section) for name, section in _COLLECTOR_SECTIONS.items()}
Collectors: Any = create_model(
    "Collectors", __base__=Section, __doc__="Which resources to poll, and how often.", **_FIELDS
)


class PollingSettings(Section):
    """Which poll is next if the rate limit is too low for the intervals."""

    strategy: values.Strategy = _setting(
        "priority",
        "plain: the most overdue poll is next; priority: half of the requests go where something happens or soon will",
    )


class StateSettings(Section):
    """What the exporter keeps over a restart: since when things are so, and the counts of ended ingestions."""

    file: values.OptionalPath = _setting(
        None, "File for it, on a disk that outlives a restart; each exporter needs its own; nothing is written if unset"
    )


class ShardSettings(Section):
    """Which tenants to poll, if several exporters divide them: a hash of the tenant's id decides."""

    index: values.Ordinal = _setting(0, "Number of this exporter, from 0; or the name of a StatefulSet's pod")
    total: values.Count = _setting(1, "Number of exporters that divide the tenants, and api.rate_limit, between them")

    def shard(self) -> Shard:
        """The shard that this exporter is."""
        return Shard(self.index, self.total)


class WebSettings(Section):
    """Where the exporter serves metrics."""

    listen_address: values.ListenAddress = _setting(
        "0.0.0.0:10120", "Where to listen: HOST:PORT, :PORT or [IPv6]:PORT; port 0 takes a free one"
    )
    config_file: values.OptionalPath = _setting(
        None, "TLS and basic auth, in the format of the Prometheus exporter toolkit"
    )

    telemetry_path: WebPath = _setting("/metrics", "Path of the metrics page")
    systemd_socket: values.Boolean = _setting(
        default=False, description="Listen on the sockets that systemd passes, instead of web.listen_address"
    )

    def listen(self) -> tuple[str | None, int]:
        """Host and port to bind; a host of None is every address of both families."""
        return values.split_address(self.listen_address)


class LogSettings(Section):
    """What the exporter logs to standard error."""

    level: values.Level = _setting("info", "Lowest level that is logged: debug, info, warning or error")
    format: values.Format = _setting("logfmt", "Format of a log line: logfmt or json")


class Settings(BaseSettings):
    """All settings. `load` makes them; `Settings()` has the defaults.

    `warnings` has a line for each thing that is wrong but harmless.
    """

    config: ConfigSettings = ConfigSettings()
    api: ApiSettings = ApiSettings()
    discovery: DiscoverySettings = DiscoverySettings()
    collectors: Collectors = Collectors()
    polling: PollingSettings = PollingSettings()
    state: StateSettings = StateSettings()
    shard: ShardSettings = ShardSettings()
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    warnings: tuple[str, ...] = ()
    # What `api.proxy_url_file` and `api.ca_file` held when the settings were loaded.
    egress: Annotated[Egress, SkipValidation] = Field(default=Egress(), repr=False, exclude=True)
    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, nested_model_default_partial_update=True
    )

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # pydantic passes the other sources by name
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_: object
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the code gives, then the trees of `load` in `sources`; the first one that has a value wins."""
        given = init_settings()
        trees = given.pop("sources", ())
        return tuple(InitSettingsSource(settings_cls, tree) for tree in (given, *trees))


@dataclass(frozen=True)
class Leaf:
    """One setting as flags, environment and documentation show it; `default` is empty where there is none."""

    path: str
    kind: values.SettingType
    default: str
    description: str

    @property
    def flag(self) -> str | None:
        """The flag's name; None for a secret."""
        return None if self.kind.secret else flag_of(self.path)

    @property
    def env(self) -> str:
        """The environment variable's name."""
        return ENV_PREFIX + self.path.replace(".", "_").upper()

    def problem(self, message: str) -> Problem:
        """A problem with this setting; the line also says how to set it."""
        ways = f"set {self.flag}, {self.env} or {self.path} in the file"
        if self.kind.secret:
            ways = f"set {self.env}, {flag_of(self.path)}-file or {self.path} in the file"
        elif self.path == "config.file":
            ways = f"set {self.flag} or {self.env}"
        return Problem(self.path, f"{message}; {ways}")

    def unusable(self, error: FileError) -> Problem:
        """A problem with the file that this setting names: its path, or what is in it."""
        if isinstance(error, FileContentError):
            return Problem(self.path, f"{error}; {error.fix}")
        return self.problem(str(error))


def _leaves(section: BaseModel, prefix: str = "") -> Iterator[Leaf]:
    for name, info in type(section).model_fields.items():
        path, default = f"{prefix}{name}", info.default
        kind = next((mark for mark in info.metadata if isinstance(mark, values.SettingType)), None)
        if isinstance(default, BaseModel):
            yield from _leaves(default, f"{path}.")
        elif kind is not None:
            text = "" if default is None or default == () else kind.format(default)
            yield Leaf(path, kind, text, info.description or "")


# Every setting by its path, in the order of the tree.
LEAVES = {leaf.path: leaf for leaf in _leaves(Settings())}
