"""Writes Grafana's configuration, data source and dashboards, and says how to start it.

Sources: https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/ and …/administration/provisioning/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from exporter.assets import Choices, dashboards
from exporter.demo.configuration import Watch
from exporter.demo.ports import HOST
from exporter.demo.programs import GRAFANA, Program

_HOME_BOARD = "kimono-fleet"
_SCRAPE_INTERVAL = "5s"
_PACKAGED_HOME = Path("/usr/share/grafana")
# Anonymous viewers, no administrator, nothing sent to Grafana's makers, and no plugins: for the demo and compose.yaml.
FOR_VIEWERS: Mapping[str, Mapping[str, object]] = {
    "auth": {"disable_login_form": True},
    "auth.anonymous": {"enabled": True, "org_role": "Viewer"},
    "security": {"disable_initial_admin_creation": True, "disable_gravatar": True},
    "users": {"allow_sign_up": False},
    "analytics": {"reporting_enabled": False, "check_for_updates": False, "check_for_plugin_updates": False},
    "news": {"news_feed_enabled": False},
    "snapshots": {"external_enabled": False},
    "plugins": {"preinstall_disabled": True, "plugin_admin_enabled": False},
    # The pages list the rules of Prometheus, which alone evaluates them.
    "unified_alerting": {"enabled": True, "execute_alerts": False},
    "log": {"mode": "console", "level": "warn"},
}


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


def data_source(url: str, interval: str) -> dict[str, object]:
    """The file for provisioning that makes Prometheus a data source; it scrapes each `interval`, such as 15s."""
    source = {
        "name": "Prometheus",
        "uid": "kimono-prometheus",
        "type": "prometheus",
        "access": "proxy",
        "url": url,
        "isDefault": True,
        "jsonData": {"timeInterval": interval, "httpMethod": "POST"},
    }
    return {"apiVersion": 1, "datasources": [source]}


def _provision(own: Path, boards: Path, prometheus: int) -> None:
    provider = {"name": "kimono", "folder": "Kimono", "type": "file", "options": {"path": str(boards)}}
    files = {
        "datasources": data_source(f"http://{HOST}:{prometheus}", _SCRAPE_INTERVAL),
        "dashboards": {"apiVersion": 1, "providers": [provider]},
    }
    for kind, content in files.items():
        path = own / "provisioning" / kind
        path.mkdir(parents=True)
        (path / "kimono.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
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
    sections: dict[str, Mapping[str, object]] = {
        "paths": dict(paths),
        "server": {"http_addr": HOST, "http_port": port},
        "dashboards": {"default_home_dashboard_path": boards / f"{_HOME_BOARD}.json", "min_refresh_interval": "5s"},
        **FOR_VIEWERS,
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
