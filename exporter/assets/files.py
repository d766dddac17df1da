"""Makes all files that are shipped, with the chosen links and thresholds, and writes them into a folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from exporter.assets.boards import changed
from exporter.assets.links import LINKS, Links
from exporter.assets.rules.files import rule_files
from exporter.thresholds import DEFAULTS, threshold_text

_ALERTMANAGER = "alertmanager.example.yaml"
# Runbooks link to the rest of the documentation, which is not written.
_LINK_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")


@dataclass(frozen=True)
class Choices:
    """What the files contain: links, and all thresholds in their units."""

    links: Links = LINKS
    thresholds: Mapping[str, float] = field(default_factory=lambda: DEFAULTS)


def assets(choices: Choices = Choices()) -> Mapping[str, str]:
    """The files, by their paths in the folder that they are written to."""
    rules = {f"alerts/{name}": text for name, text in rule_files(choices.thresholds, choices.links).items()}
    boards = {f"dashboards/{name}": text for name, text in dashboards(choices).items()}
    pages = {f"runbooks/{name}": _with_thresholds(text, choices.thresholds) for name, text in runbooks().items()}
    return {**boards, **rules, f"alerts/{_ALERTMANAGER}": alertmanager_example(), **pages}


def dashboards(choices: Choices = Choices()) -> Mapping[str, str]:
    """The dashboards' JSON, by the names of their files."""
    return {name: changed(text, choices.thresholds, choices.links) for name, text in _shipped("dashboards").items()}


def runbooks() -> Mapping[str, str]:
    """The runbooks in Markdown, by the names of their files."""
    return {name: _LINK_OUTSIDE.sub(r"\1", text) for name, text in _shipped("runbooks").items()}


def _with_thresholds(runbook: str, thresholds: Mapping[str, float]) -> str:
    """The runbook, whose numbers are the defaults, with those that are others here."""
    changed_ones = [name for name, value in thresholds.items() if value != DEFAULTS[name]]
    if not changed_ones:
        return runbook
    title, _, rest = runbook.partition("\n")
    here = ", ".join(f"`{name}` is {threshold_text(name, thresholds[name])}" for name in changed_ones)
    note = f"The alerts of this installation have other thresholds than the numbers below: {here}."
    return f"{title}\n\n> {note}\n{rest}"


def alertmanager_example() -> str:
    """The example of Alertmanager's configuration."""
    return (files(__package__) / _ALERTMANAGER).read_text(encoding="utf-8")


def write(folder: Path, written: Mapping[str, str]) -> None:
    """Write the files into the folder, which is made if it is missing. Other files stay. Raises OSError."""
    for name, text in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def what_was_written(folder: Path, written: Mapping[str, str], choices: Choices) -> str:
    """Lines for people: how many files are in which folder, and which links have no address."""
    of_each = Counter(name.partition("/")[0] for name in written)
    lines = [f"Wrote {count} files to {folder / name}" for name, count in of_each.items()]
    if choices.links.runbooks == LINKS.runbooks:
        lines.append(f"Links to runbooks have no address: publish {folder / 'runbooks'}, and set --runbook-url")
    if choices.links.dashboards == LINKS.dashboards:
        lines.append("Links to dashboards have no address, and work only in Grafana: set --dashboard-url")
    return "\n".join(lines) + "\n"


def _shipped(folder: str) -> dict[str, str]:
    found = sorted((files(__package__) / folder).iterdir(), key=lambda each: each.name)
    return {each.name: each.read_text(encoding="utf-8") for each in found}
