"""Spells flags as Prometheus and its exporters do: with hyphens. The same names with underscores work as well."""

from __future__ import annotations

from collections.abc import Sequence

# The exporter toolkit's own name, which does not follow from that of the setting.
_TOOLKIT = {"--web.config-file": "--web.config.file"}


def flag_of(path: str) -> str:
    """The flag of a setting, as `--help` shows it: `--api.rate-limit` for `api.rate_limit`."""
    return spelled(f"--{path}")


def spelled(flag: str) -> str:
    """The spelling of a flag that the parser knows."""
    hyphenated = flag.replace("_", "-")
    return _TOOLKIT.get(hyphenated, hyphenated)


def all_spelled(argv: Sequence[str]) -> list[str]:
    """The command line with the flags in their one spelling. Values stay as they are."""
    found: list[str] = []
    for number, argument in enumerate(argv):
        if argument == "--":
            return [*found, *argv[number:]]
        name, equals, value = argument.partition("=")
        found.append(spelled(name) + equals + value if name.startswith("--") else argument)
    return found
