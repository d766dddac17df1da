"""Formats JSON with several small members on a line: shorter files, readable diffs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

WIDTH = 120


def compact(value: Any, indent: int = 0, used: int = 0) -> str:  # noqa: ANN401 - any JSON value
    """Return a value as JSON with sorted keys, in lines of at most 120 characters unless a string is longer.

    `indent`: spaces before each line but the first. `used`: characters that precede the value on its first line.
    """
    line = json.dumps(value, sort_keys=True)
    if not value or not isinstance(value, dict | list) or used + len(line) < WIDTH:
        return line
    inner = indent + 2
    if isinstance(value, dict):
        names = {name: f"{json.dumps(name)}: " for name in sorted(value)}
        members = (f"{start}{compact(value[name], inner, inner + len(start))}" for name, start in names.items())
    else:
        members = (compact(each, inner, inner) for each in value)
    begin, end = "{}" if isinstance(value, dict) else "[]"
    space = "\n" + " " * inner
    return f"{begin}{space}{f',{space}'.join(_filled(members, WIDTH - inner))}\n{' ' * indent}{end}"


def _filled(members: Iterable[str], width: int) -> Iterator[str]:
    """Join the members into lines that fit the width."""
    line = ""
    for member in members:
        joined = f"{line}, {member}" if line else member
        if line and ("\n" in joined or len(joined) >= width):
            yield line
            line = member
        else:
            line = joined
    yield line
