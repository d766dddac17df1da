"""Compiles the dashboards against Grafana's own types, of each major version from 10.4 to 13.

Grafana's server is not a Go module that can be built here, so no server loads them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.compatibility.programs import npm_packages
from tests.support.compatibility import FAILED, PASSED
from tests.support.trial import ROOT, Trial, run

VERSIONS = ("10.4.19", "11.6.16", "12.4.11", "13.2.3")
_TYPESCRIPT = "typescript@5.9.3"
# The types of options of each kind of panel, and of its fields.
_PANELS = {
    "stat": ("Stat", False),
    "table": ("Table", False),
    "timeseries": ("TimeSeries", True),
    "state-timeline": ("StateTimeline", True),
    "status-history": ("StatusHistory", True),
}
_TYPES = "./node_modules/@grafana/schema/dist/esm/raw/composable"
# JSON has the values of enumerations, TypeScript their names. Defaults fill in what a dashboard does not say.
_BEGINNING = """\
import type { Dashboard, Panel, RowPanel, TableFieldOptions } from '@grafana/schema';
type Value<T> = T extends string ? `${T}` : T extends number
  ? (number extends T ? number : `${T}` extends `${infer N extends number}` ? N : never)
  : T extends (infer E)[] ? Value<E>[] : T extends object ? { [K in keyof T]: Value<T[K]> } : T;
type Part<T> = T extends (infer E)[] ? Part<E>[] : T extends object ? { [K in keyof T]?: Part<T[K]> } : T;
"""
_UNKNOWN = re.compile(r"""error TS2353: .* '"(\w+)"' does not exist in type""")
# Members of an annotation that the types leave to the data source.
_OF_DATA_SOURCE = {"target", "expr", "step", "titleFormat"}
_OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]


def grafana() -> Iterator[Trial]:
    """With the types of each version: the dashboards, their panels, and the options of each kind of panel."""
    for version in VERSIONS:
        folder = npm_packages(f"grafana-{version}", f"@grafana/schema@{version}", _TYPESCRIPT)
        errors, unknown = compiled(folder)
        print(errors, end="", file=sys.stderr)
        ignored = f". It does not know {', '.join(f'`{name}`' for name in sorted(unknown))}" if unknown else ""
        how = f"the dashboards have the types of `@grafana/schema`{ignored}"
        yield Trial("Grafana", version, how, FAILED if errors else PASSED)


def compiled(folder: Path) -> tuple[str, set[str]]:
    """What the compiler finds, and the members that these types don't have: Grafana ignores them.

    The compiler names one such member of each object at a time. So they are removed until there is none.
    """
    boards = [json.loads(path.read_text()) for path in sorted((ROOT / "dashboards").glob("*.json"))]
    unknown = set(_OF_DATA_SOURCE)
    while True:
        (folder / "dashboards.ts").write_text(_source([_without(board, unknown) for board in boards]))
        done = run([folder / "node_modules/.bin/tsc", *_OPTIONS, "dashboards.ts"], folder)
        found = set(_UNKNOWN.findall(done.stdout))
        if not found or found <= unknown:
            return done.stdout or (
                f"exit code {done.returncode}\n" if done.returncode else ""
            ), unknown - _OF_DATA_SOURCE
        unknown |= found


def _without(value: object, names: Collection[str]) -> object:
    if isinstance(value, dict):
        return {key: _without(each, names) for key, each in value.items() if key not in names}
    return [_without(each, names) for each in value] if isinstance(value, list) else value


def _source(boards: Sequence[Any]) -> str:
    lines = [_BEGINNING]
    for kind, (name, _) in _PANELS.items():
        path = f"{_TYPES}/{kind.replace('-', '')}/panelcfg/x/{name}PanelCfg_types.gen"
        lines.append(f"import type * as {name} from '{path}';")
    for board in boards:
        lines.append(_is("Value<Dashboard>", board))
        lines += [line for panel in board["panels"] for line in _of_panel(panel)]
    return "\n".join(lines) + "\n"


def _of_panel(panel: Mapping[str, Any]) -> Iterator[str]:
    if panel["type"] == "row":
        yield _is("Part<Value<RowPanel>>", panel)
        for each in panel["panels"]:
            yield from _of_panel(each)
        return
    name, has_fields = _PANELS[panel["type"]]
    yield _is("Value<Panel>", panel)
    yield _is(f"Part<Value<{name}.Options>>", panel["options"])
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    if panel["type"] == "table":
        yield _is("Part<Value<TableFieldOptions>>", custom)
    elif has_fields:
        yield _is(f"Part<Value<{name}.FieldConfig>>", custom)


_count = iter(range(10**6))


def _is(kind: str, value: object) -> str:
    return f"export const v{next(_count)}: {kind} = {json.dumps(value)};"
