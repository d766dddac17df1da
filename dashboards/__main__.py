"""Are the dashboards in step with the code that makes them?

`python -m dashboards` writes them, `--check` only looks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import exporter, fleet, rollovers, tenant
from dashboards.configmap import configmap

HERE = Path(__file__).parent
# Grafana 10.4's. Newer ones bring a dashboard up to their own; what older ones make of a newer one, nobody promises.
SCHEMA_VERSION = 39
DATA_LINK = ("title", "url", "targetBlank")
CONFIGMAP = HERE.parent / "deploy" / "grafana" / "kubernetes-configmap.yaml"


def main() -> int:
    """Write what is generated; with --check write nothing, and return 1 if something is not in step."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description="Make the dashboards.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file is not what would be written"
    )
    if parser.parse_args().check:
        stale = [path for path, made in files() if not path.exists() or path.read_text() != made]
        for path in stale:
            print(f"{path.relative_to(HERE.parent)} is not in step. To mend: make dashboards", file=sys.stderr)
        return 1 if stale else 0
    for path, made in files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made)
    return 0


def files() -> Iterator[tuple[Path, str]]:
    """Each generated file and its text: the four dashboards, and all of them as a ConfigMap."""
    texts = {f"{one.UID}.json": text(one.build()) for one in (fleet, tenant, rollovers, exporter)}
    yield from ((HERE / name, text) for name, text in texts.items())
    yield CONFIGMAP, configmap(texts)


def text(made: Dashboard) -> str:
    """A dashboard as JSON."""
    plain = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    plain["schemaVersion"] = SCHEMA_VERSION
    # Where Grafana 12 puts a control: older ones refuse a value that they don't know, and the default is right.
    for control in (*plain["links"], *plain["annotations"]["list"]):
        control.pop("placement", None)
    # The builders have no link of a number's own: theirs is a dashboard's, with more than belongs there.
    for panel in plain["panels"]:
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        if "links" in defaults:
            defaults["links"] = [{name: one[name] for name in DATA_LINK} for one in defaults["links"]]
    return json.dumps(plain, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(main())
