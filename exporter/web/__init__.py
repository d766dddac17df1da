"""Serves the exporter over HTTP: `/metrics`, the health paths and the status page.

`create_app` builds the application from a `Source`, `load_access_rules` loads `web.config_file`, `start` listens.
"""

from exporter.web.access import AccessError, AccessRules, load_access_rules
from exporter.web.app import create_app
from exporter.web.server import RunningServer, start
from exporter.web.source import Source

__all__ = ["AccessError", "AccessRules", "RunningServer", "Source", "create_app", "load_access_rules", "start"]
