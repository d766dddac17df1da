"""Loads the settings from all sources, and finds every problem with them at once."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from exporter.api.egress import Egress, read_proxy, trust
from exporter.files import FileError
from exporter.settings.errors import Problem, SettingsError
from exporter.settings.sources import Source, read_sources, unknown_variables, unused_proxies
from exporter.settings.tenants_file import read_tenants_file
from exporter.settings.tree import CREDENTIAL_KINDS, CREDENTIALS, LEAVES, NO_CREDENTIALS, ApiSettings, Settings
from exporter.settings.values import is_insecure

_INSECURE = "http would send credentials unprotected to another host: use https, or allow it with api.allow_insecure"

_SEEN_BY_PROXY = "must be https if api.proxy_url is set: the proxy would see all credentials and replies of an http URL"

_NO_SUCH_SHARD = "must be less than shard.total, which is"
_FIRST_SHARD = "shard.index is not set, so this exporter is shard 0 of {}; each other one needs an index of its own"


def load(flags: Mapping[str, str], environ: Mapping[str, str], *, needs_credentials: bool = True) -> Settings:
    """The settings from flags, environment and file; a flag wins over the environment, that over the file.

    `flags` has the values by path (`api.url`), as `given_flags` gives them; other keys are ignored.
    With `needs_credentials` off, nothing is sent to the API: credentials are neither required nor checked, and neither
    are the files of the proxy and the CA. Raises SettingsError with every problem at once.
    """
    sources, problems = read_sources(flags, environ)
    settings, invalid = _validate(sources)
    problems += invalid
    unusable = {problem.setting for problem in problems}
    if "api.allow_insecure" not in unusable and not settings.api.allow_insecure and is_insecure(settings.api.url):
        problems.append(LEAVES["api.url"].problem(_INSECURE))
    if needs_credentials and not unusable & {"config.file", *(f"api.{name}" for name in CREDENTIALS)}:
        problems += _credential_problems(settings)
    if settings.shard.index >= settings.shard.total and not unusable & {"shard.index", "shard.total"}:
        problems.append(LEAVES["shard.index"].problem(f"{_NO_SUCH_SHARD} {settings.shard.total}: the first shard is 0"))
    egress, of_egress = _egress(settings.api) if needs_credentials else (Egress(), [])
    problems += of_egress
    if problems:
        raise SettingsError(tuple(problems))
    warnings = unknown_variables(environ) + (() if egress.proxy else unused_proxies(environ))
    if settings.shard.total > 1 and not any("shard.index" in source for source in sources):
        warnings += (_FIRST_SHARD.format(settings.shard.total),)
    return settings.model_copy(update={"warnings": warnings, "egress": egress})


def _validate(sources: Sequence[Source]) -> tuple[Settings, list[Problem]]:
    """The settings, with the default in place of each invalid value, and a problem for each of those.

    The defaults let the checks across settings run as well, so that all problems are reported at once.
    """
    try:
        return Settings.model_validate({"sources": [_tree(source) for source in sources]}), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    messages = {".".join(map(str, detail["loc"])): str(detail["ctx"]["error"]) for detail in details}
    given = ChainMap(*sources)
    problems = [
        LEAVES[path].problem(f"{message} (given by {given[path].origin})") for path, message in messages.items()
    ]
    usable = {path: one for path, one in given.items() if path not in messages}
    return _validate([usable])[0], problems


def _tree(source: Source) -> dict[str, Any]:
    """The values as nested mappings, as pydantic expects them."""
    tree: dict[str, Any] = {}
    for path, one in source.items():
        *sections, name = path.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = one.value
    return tree


def _egress(api: ApiSettings) -> tuple[Egress, list[Problem]]:
    """The proxy and the trusted certificates as they are now, and what is wrong with them."""
    problems: list[Problem] = []
    proxy, tls = api.proxy_url, Egress().tls
    if api.proxy_url and api.proxy_url_file:
        message = "both api.proxy_url and api.proxy_url_file are set; keep one and unset the other"
        problems.append(Problem("api.proxy_url", message))
    try:
        proxy = read_proxy(api.proxy_url_file) if api.proxy_url_file else proxy
    except FileError as error:
        problems.append(LEAVES["api.proxy_url_file"].unusable(error))
    try:
        tls = trust(api.ca_file) if api.ca_file else tls
    except FileError as error:
        problems.append(LEAVES["api.ca_file"].unusable(error))
    if proxy and not api.url.startswith("https:"):
        problems.append(LEAVES["api.url"].problem(_SEEN_BY_PROXY))
    return Egress(proxy, tls), problems


def _credential_problems(settings: Settings) -> Iterator[Problem]:
    """What is wrong with the credentials together, then with each of their files."""
    api = settings.api
    given = [name for name in CREDENTIALS if getattr(api, name) is not None]
    if not given:
        yield NO_CREDENTIALS
    yield from _mixed_kinds(given)
    for name in given:
        if f"{name}_file" in given:
            message = f"both api.{name} and api.{name}_file are set; keep one and unset the other"
            yield Problem(f"api.{name}", message)
    yield from _half_client(given)
    for name in ("key", "client_secret", "token"):
        try:
            api.secret(name)
        except FileError as error:
            yield LEAVES[f"api.{name}_file"].unusable(error)
    if api.tenants_file is not None:
        try:
            read_tenants_file(api.tenants_file)
        except SettingsError as error:
            yield from error.problems
        if settings.collectors.account.enabled:
            message = "needs account credentials, and api.tenants_file has none; set it to false"
            yield Problem("collectors.account.enabled", f"{message}, or use account credentials")


def _mixed_kinds(given: list[str]) -> Iterator[Problem]:
    firsts = {kind: next((name for name in names if name in given), "") for kind, names in CREDENTIAL_KINDS.items()}
    named = [f"{kind} (api.{name})" for kind, name in firsts.items() if name]
    if len(named) > 1:
        text = " and ".join(named)
        yield Problem("api", f"more than one kind of credentials is set: {text}; keep one and unset the others")


def _half_client(given: list[str]) -> Iterator[Problem]:
    secret = next((name for name in ("client_secret", "client_secret_file") if name in given), None)
    if "client_id" in given and secret is None:
        yield LEAVES["api.client_secret"].problem("is not set, but api.client_id is")
    if secret is not None and "client_id" not in given:
        yield LEAVES["api.client_id"].problem(f"is not set, but api.{secret} is")
