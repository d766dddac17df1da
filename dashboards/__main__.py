"""Writes the dashboards' JSON; with `--check`, reports which files are stale."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import exporter, fleet, rollovers, tenant
from dashboards.compact import compact

HERE = Path(__file__).parent
# Grafana 10.4's: newer versions of Grafana migrate an older schema, but no version supports a newer one.
SCHEMA_VERSION = 39
DATA_LINK = ("title", "url", "targetBlank")


def main() -> int:
    """Write the files. With --check write nothing, and return 1 if a file is stale."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description="Generate the dashboards.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    if parser.parse_args().check:
        stale = [path for path, content in files() if not path.exists() or path.read_text() != content]
        for path in stale:
            print(f"{path.relative_to(HERE.parent)} is stale. How to fix: make dashboards", file=sys.stderr)
        return 1 if stale else 0
    for path, content in files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return 0


def files() -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of each dashboard's file."""
    for module in (fleet, tenant, rollovers, exporter):
        yield HERE / f"{module.UID}.json", text(module.build())


def text(board: Dashboard) -> str:
    """Return a dashboard as JSON."""
    plain = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    plain["schemaVersion"] = SCHEMA_VERSION
    # New in Grafana 12: older versions reject the value, and the default is right.
    for control in (*plain["links"], *plain["annotations"]["list"]):
        control.pop("placement", None)
    # The SDK has no type for data links: it writes dashboard links, which have more fields.
    for panel in plain["panels"]:
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        if "links" in defaults:
            defaults["links"] = [{name: link[name] for name in DATA_LINK} for link in defaults["links"]]
    return compact(plain) + "\n"


if __name__ == "__main__":
    sys.exit(main())
