"""Finds and describes the programs of the whole chain: Prometheus, Alertmanager and Grafana."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

PROMETHEUS, ALERTMANAGER, GRAFANA = "Prometheus", "Alertmanager", "Grafana"
# The exporter has 10120, and `simulate` 10121.
PORTS = {PROMETHEUS: 10122, ALERTMANAGER: 10123, GRAFANA: 10124}
PAGES_PORT = 10125
_HOW_TO_INSTALL = {
    PROMETHEUS: "apt-get install prometheus",
    ALERTMANAGER: "apt-get install prometheus-alertmanager",
    GRAFANA: "https://grafana.com/grafana/download",
}
# Debian has another name for Alertmanager. Newer versions of Grafana have only `grafana server`.
_COMMANDS = {
    PROMETHEUS: (("prometheus",),),
    ALERTMANAGER: (("alertmanager",), ("prometheus-alertmanager",)),
    GRAFANA: (("grafana", "server"), ("grafana-server",)),
}
# Debian's folders of programs for administrators may not be in PATH.
_MORE_FOLDERS = ("/usr/sbin", "/usr/local/sbin")


@dataclass(frozen=True)
class Program:
    """A program to start: its command line, the URL for people, and the URL that answers 200 once it is ready."""

    name: str
    command: tuple[str, ...]
    page: str
    ready: str


def found() -> dict[str, tuple[str, ...]]:
    """The programs that are installed, by name, with the beginning of their command lines."""
    where = os.pathsep.join((os.environ.get("PATH", os.defpath), *_MORE_FOLDERS))
    programs = {}
    for name, commands in _COMMANDS.items():
        for command, *arguments in commands:
            if name not in programs and (path := shutil.which(command, path=where)):
                programs[name] = (path, *arguments)
    return programs


def missing(programs: Mapping[str, tuple[str, ...]]) -> str:
    """A line for people: what is not installed, what the demo does without it, and how to install it; "" if all is."""
    names = [name for name in _COMMANDS if name not in programs]
    if not names:
        return ""
    how = "; ".join(_HOW_TO_INSTALL[name] for name in names)
    without = "" if PROMETHEUS in programs else " The demo shows the exporter alone."
    return f"Not installed: {', '.join(names)}.{without} How to install: {how}\n"
