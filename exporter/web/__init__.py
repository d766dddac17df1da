"""What does the exporter serve over HTTP, and to whom?

`create_app` makes the pages from a `Source`, `load_access` reads who may see them, `start` listens.
"""

from exporter.web.access import Access, AccessError, load_access
from exporter.web.app import create_app
from exporter.web.server import Running, start
from exporter.web.source import CollectorRow, FailingTenant, Overview, Source

__all__ = [
    "Access",
    "AccessError",
    "CollectorRow",
    "FailingTenant",
    "Overview",
    "Running",
    "Source",
    "create_app",
    "load_access",
    "start",
]
