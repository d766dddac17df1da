"""Collects the values that flags, environment variables and the YAML file give, by the path of each setting."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from exporter.files import FileError, read_yaml
from exporter.flags import flag_of
from exporter.settings.errors import Problem, did_you_mean
from exporter.settings.tree import ENV_PREFIX, LEAVES, Leaf, Section, Settings
from exporter.settings.values import parse_path


class Given(NamedTuple):
    """A value as it was written, and where: a flag, a variable or "the file"."""

    value: object
    origin: str


# What names of settings are made of.
_NAME = re.compile("[A-Za-z_]{1,40}")
_KNOWN_NAMES = sorted({name for path in LEAVES for name in path.split(".")})
# By the path of the setting.
Source = dict[str, Given]


def read_sources(flags: Mapping[str, str], environ: Mapping[str, str]) -> tuple[tuple[Source, ...], list[Problem]]:
    """The values by path of each source, the one that wins first, and the problems that are not about a value."""
    from_flags: Source = {}
    from_environment: Source = {}
    problems: list[Problem] = []
    for path, leaf in LEAVES.items():
        variable, secret = environ.get(leaf.env), leaf.kind.secret
        # A secret's variable that is empty counts as not set.
        if variable is not None and (variable.strip() or not secret):
            from_environment[path] = Given(variable, leaf.env)
        if path in flags and secret:
            ways = f"use {leaf.env} or {flag_of(path)}-file"
            problems.append(Problem(path, f"a secret is not accepted as a flag, as others could see it; {ways}"))
        elif path in flags:
            from_flags[path] = Given(flags[path], flag_of(path))
    file = from_flags.get("config.file", from_environment.get("config.file"))
    from_file = _from_file(file.value if file else None, problems)
    return (from_flags, from_environment, from_file), problems


def unknown_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """A warning for each KIMONO_… variable that is no setting.

    They are no error, because Kubernetes gives every pod variables that are named after the services around it.
    """
    known = {leaf.env for leaf in LEAVES.values()}
    # Most services are named after the program, and then give every pod KIMONO_EXPORTER_PORT and the like.
    return tuple(
        f"{name}: ignored, as there is no such setting{did_you_mean(name, known)}"
        for name in sorted(environ.keys() - known)
        if name.startswith(ENV_PREFIX) and "KIMONO_EXPORTER_" not in name
    )


def unused_proxies(environ: Mapping[str, str]) -> tuple[str, ...]:
    """A warning for each variable that names a proxy for other programs. They may hold passwords, so none is shown."""
    return tuple(
        f"{name}: not used for requests to the API; set api.proxy_url if they need a proxy"
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
        if environ.get(name)
    )


# Flags


def add_flags(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add a flag for each setting but those `without`. A flag not given leaves nothing in the namespace.

    The parser needs `allow_abbrev=False`: otherwise a shortened name is taken for a longer one.
    `given_flags` gets the result from the namespace. The flags have their one spelling: see `flags.all_spelled`.
    """
    for name, section in Settings():
        if isinstance(section, Section):
            group = parser.add_argument_group(name, type(section).__doc__)
            for leaf in LEAVES.values():
                if leaf.path.startswith(f"{name}.") and leaf.path not in without:
                    flag = flag_of(leaf.path)
                    group.add_argument(flag, dest=leaf.path, default=argparse.SUPPRESS, **_options(leaf))


def _options(leaf: Leaf) -> dict[str, Any]:
    if leaf.kind.secret:
        # Accepted here only so that `load` can refuse it; the secret's text is dropped.
        return {"nargs": "?", "const": "", "type": lambda _: "", "help": argparse.SUPPRESS}
    default = f"default {leaf.default}; " if leaf.default else ""
    text = f"{leaf.description} ({default}{leaf.env})".replace("%", "%%")
    metavar = leaf.kind.metavar or leaf.path.rpartition(".")[2].upper()
    alone = {"nargs": "?", "const": "true"} if leaf.kind.name == "boolean" else {}
    return {"help": text, "metavar": metavar, **alone}


def given_flags(namespace: argparse.Namespace) -> dict[str, str]:
    """The settings that were given as flags, by path, without the parser's other arguments."""
    return {path: value for path, value in vars(namespace).items() if path in LEAVES}


# The file


def _from_file(name: object, problems: list[Problem]) -> Source:
    setting = LEAVES["config.file"]
    try:
        path = parse_path(name)
        content = None if path is None else read_yaml(path)
    except ValueError:  # `load` reports it when it validates all values
        return {}
    except FileError as error:
        problems.append(setting.unusable(error))
        return {}
    if content is None or isinstance(content, dict):
        return _settings_in(content or {}, "", problems)
    problems.append(setting.problem(f"{str(path)!r} is not a YAML mapping of sections"))
    return {}


def _settings_in(mapping: dict[object, object], prefix: str, problems: list[Problem]) -> Source:
    """The settings in one section of the file; what does not belong there becomes a problem."""
    given: Source = {}
    for number, (key, value) in enumerate(mapping.items(), start=1):
        name = key if isinstance(key, str) and key.isprintable() else repr(key)
        path = prefix + name
        nested = "." not in name
        is_section = nested and any(known.startswith(f"{path}.") for known in LEAVES)
        if path == "config.file":
            problems.append(LEAVES[path].problem("can't be set in the file that it names"))
        elif nested and path in LEAVES:
            # A key without a value counts as not set.
            given |= {} if value is None else {path: Given(value, "the file")}
        elif is_section and isinstance(value, dict):
            given |= _settings_in(value, f"{path}.", problems)
        elif is_section and value is not None:
            problems.append(Problem(path, "is a section: it must hold a mapping of settings"))
        elif not is_section:
            problems.append(_unknown_key(path, number))
    return given


def _unknown_key(path: str, number: int) -> Problem:
    section, _, name = path.rpartition(".")
    if path in LEAVES:
        return Problem(path, f"is not found under one key: write {name} in a mapping below {section}")
    hint = did_you_mean(path, LEAVES)
    # Only a misspelt name is shown. Any other key may be a secret: with a space missing, `key:SECRET` is one.
    if not _NAME.fullmatch(name) or not get_close_matches(name, _KNOWN_NAMES, n=1):
        return Problem(section or "the file", f"key {number} in it is not the name of a setting{hint}")
    return Problem(path, f"there is no such setting, but the file has it{hint}")
