"""Reads the chart's values with their comments, and writes the thresholds into them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from exporter.thresholds import THRESHOLDS, threshold_text

# Those that rules and dashboards compare with. With the others, the exporter itself compares.
IN_RULES = {name: one for name, one in THRESHOLDS.items() if name != "long_pause"}
_BEGIN, _END = "  # thresholds: begin\n", "  # thresholds: end\n"
_KEY = re.compile(r"( *)([A-Za-z_]+):")


@dataclass(frozen=True)
class Value:
    """One value: its path, its default, what it is for, and the section that it is in."""

    path: str
    default: Any
    comment: str
    section: str


def in_camel_case(name: str) -> str:
    """The name of a threshold in the chart: `sync_overdue` is `syncOverdue`."""
    return re.sub("_([a-z])", lambda match: match[1].upper(), name)


def with_thresholds(values: str) -> str:
    """The text of values.yaml, with all thresholds and their defaults."""
    before, _, rest = values.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return f"{before}{_BEGIN}  thresholds:\n{''.join(_thresholds())}{_END}{after}"


def _thresholds() -> Iterator[str]:
    for name, one in IN_RULES.items():
        yield f"    # -- {one.reason.rstrip('.')}\n    {in_camel_case(name)}: {threshold_text(name, one.value)}\n"


def commented(values: str) -> Iterator[Value]:
    """The values that have a comment with `# --`, in their order. Raises ValueError if a value has none."""
    tree, path, comment, section = yaml.safe_load(values), dict[int, str](), list[str](), ""
    covered: str | None = None
    for line in values.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.strip().startswith("# --"):
            comment = [line.strip().removeprefix("# --").strip()]
        elif comment and line.strip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
        elif match := _KEY.match(line):
            indent = len(match[1])
            path = {depth: key for depth, key in path.items() if depth < indent} | {indent: match[2]}
            name = ".".join(path.values())
            if covered and name.startswith(f"{covered}."):
                continue
            covered = name if comment else None
            if comment:
                yield Value(name, _found(tree, name), " ".join(comment), section)
            elif not isinstance(_found(tree, name), dict):
                raise ValueError(f"values.yaml: {name} has no comment that begins with `# --`")
            comment = []
        else:
            comment = []


def shown(default: Any) -> str:  # noqa: ANN401 - any value of YAML
    """A default for people, in one line."""
    return json.dumps(default, ensure_ascii=False)


def sections(values: str) -> dict[str, list[Value]]:
    """The values by section."""
    found: dict[str, list[Value]] = {}
    for value in commented(values):
        found.setdefault(value.section, []).append(value)
    return found


def _found(tree: Any, path: str) -> Any:  # noqa: ANN401 - any value of YAML
    for key in path.split("."):
        tree = tree[key]
    return tree
