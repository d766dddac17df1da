"""How do the dashboards get into a Grafana on Kubernetes? By ConfigMaps that its sidecar finds by their label."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

# What the sidecar of Grafana's Helm chart looks for, and the annotation that it takes a folder's name from.
LABEL, FOLDER = {"grafana_dashboard": "1"}, {"grafana_folder": "Kimono"}
HEAD = """\
# Made by `make dashboards` from dashboards/: don't edit. One ConfigMap for each dashboard. The sidecar of Grafana's
# Helm chart finds them by their label. docs/dashboards.md has the two values that put them into a folder of their own.
"""


def configmap(texts: Mapping[str, str]) -> str:
    """The dashboards, by file name, as YAML for `kubectl apply`."""
    return HEAD + "".join(f"---\n{_one(name, text)}" for name, text in texts.items())


def _one(name: str, text: str) -> str:
    made = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name.removesuffix(".json"), "labels": LABEL, "annotations": FOLDER},
        "data": {name: text},
    }
    return yaml.dump(made, Dumper=_Dumper, sort_keys=False, width=1_000_000)


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, so that a difference can be read."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _block)
