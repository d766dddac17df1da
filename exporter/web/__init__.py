"""Serves the exporter over HTTP: `/metrics`, the health paths and the status page.

`create_app` builds the application from a `Source`, `load_access_rules` loads `web.config_file`, `watch_files` loads
it again when it has changed, `start` listens.
"""

from exporter.web.access import AccessError, AccessRules, load_access_rules
from exporter.web.activation import ActivationError, sockets_passed
from exporter.web.app import create_app
from exporter.web.server import RunningServer, start
from exporter.web.source import Source
from exporter.web.verifier import Verifier
from exporter.web.watch import watch_files

__all__ = [
    "AccessError",
    "AccessRules",
    "ActivationError",
    "RunningServer",
    "Source",
    "Verifier",
    "create_app",
    "load_access_rules",
    "sockets_passed",
    "start",
    "watch_files",
]
