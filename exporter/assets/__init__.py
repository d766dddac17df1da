"""Writes what is shipped beside the exporter: dashboards, rules, an Alertmanager example and runbooks.

The rules are code, in `rules/`. The other files are symbolic links to where people look for them in the repository.
"""

from __future__ import annotations

from exporter.assets.files import (
    Choices,
    alertmanager_example,
    assets,
    dashboards,
    runbooks,
    what_was_written,
    write,
)
from exporter.assets.links import LINKS, Links, built_links
from exporter.assets.rules.files import rules_text
from exporter.assets.speed import Speed

__all__ = [
    "LINKS",
    "Choices",
    "Links",
    "Speed",
    "alertmanager_example",
    "assets",
    "built_links",
    "dashboards",
    "rules_text",
    "runbooks",
    "what_was_written",
    "write",
]
