"""Writes Grafana's configuration, data source and dashboards, and says how to start it.

Sources: https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/ and …/administration/provisioning/.
"""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from exporter.assets import Choices, dashboards
from exporter.demo.configuration import Watch
from exporter.demo.ports import HOST
from exporter.demo.programs import GRAFANA, Program

_HOME_BOARD = "kimono-fleet"
_SCRAPE_INTERVAL = "5s"
_PACKAGED_HOME = Path("/usr/share/grafana")


def grafana(command: tuple[str, ...], port: int, folder: Path, watch: Watch, prometheus: int) -> Program:
    """Grafana for anonymous viewers, with its files in the folder; `prometheus` is a port.

    It sends nothing to its makers, and installs no plugins.
    """
    own = folder / "grafana"
    boards = own / "dashboards"
    boards.mkdir(parents=True)
    for name, text in dashboards(Choices(watch.links, watch.speed.thresholds(watch.thresholds))).items():
        (boards / name).write_text(text)
    _provision(own, boards, prometheus)
    home = _home(Path(command[0]))
    (own / "grafana.ini").write_text(_ini(own, boards, port, home))
    where = (f"--homepath={home}",) if home else ()
    url = f"http://{HOST}:{port}"
    started = (*command, *where, f"--config={own / 'grafana.ini'}")
    return Program(GRAFANA, started, f"{url}/d/{_HOME_BOARD}", f"{url}/api/health")


def _provision(own: Path, boards: Path, prometheus: int) -> None:
    source = {
        "name": "Prometheus",
        "uid": "kimono-prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": f"http://{HOST}:{prometheus}",
        "isDefault": True,
        "jsonData": {"timeInterval": _SCRAPE_INTERVAL, "httpMethod": "POST"},
    }
    provider = {"name": "kimono", "folder": "Kimono", "type": "file", "options": {"path": str(boards)}}
    for kind, content in (("datasources", {"datasources": [source]}), ("dashboards", {"providers": [provider]})):
        path = own / "provisioning" / kind
        path.mkdir(parents=True)
        (path / "kimono.yaml").write_text(yaml.safe_dump({"apiVersion": 1, **content}, sort_keys=False))
    for kind in ("plugins", "alerting"):  # missing ones are logged as errors
        (own / "provisioning" / kind).mkdir()


def _ini(own: Path, boards: Path, port: int, home: Path | None) -> str:
    paths = {
        "data": own / "data",
        "logs": own / "logs",
        "plugins": own / "plugins",
        "provisioning": own / "provisioning",
    }
    bundled = home / "data" / "plugins-bundled" if home else None
    if bundled and bundled.is_dir():
        paths["bundled_plugins"] = bundled  # the data source itself, from Grafana 13 on
    sections: dict[str, dict[str, object]] = {
        "paths": dict(paths),
        "server": {"http_addr": HOST, "http_port": port},
        "auth": {"disable_login_form": True},
        "auth.anonymous": {"enabled": True, "org_role": "Viewer"},
        "security": {"disable_initial_admin_creation": True, "disable_gravatar": True},
        "users": {"allow_sign_up": False},
        "dashboards": {"default_home_dashboard_path": boards / f"{_HOME_BOARD}.json", "min_refresh_interval": "5s"},
        "analytics": {"reporting_enabled": False, "check_for_updates": False, "check_for_plugin_updates": False},
        "news": {"news_feed_enabled": False},
        "snapshots": {"external_enabled": False},
        "plugins": {"preinstall_disabled": True, "plugin_admin_enabled": False},
        "unified_alerting": {"enabled": False},
        "log": {"mode": "console", "level": "warn"},
    }
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {_shown(value)}\n" for key, value in section.items())
        for name, section in sections.items()
    )


def _shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _home(program: Path) -> Path | None:
    """The folder with Grafana's defaults and pages: of an archive, of Homebrew or of a package; None if unknown."""
    installed = program.resolve().parent.parent
    candidates = (installed, installed / "share" / "grafana", _PACKAGED_HOME)
    return next((each for each in candidates if (each / "conf" / "defaults.ini").is_file()), None)
