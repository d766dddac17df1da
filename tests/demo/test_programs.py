"""Tests the demo with fake programs: what is missing, what fails, what is configured, which ports are taken."""

from __future__ import annotations

import configparser
import json
import re
import signal
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from exporter.demo.pages import Notification, notification
from exporter.demo.ports import choose
from exporter.demo.programs import missing
from tests.demo.fakes import FAILING, SERVING, STUBBORN, program
from tests.support.processes import Process, answers, eventually, free_port, get, kimono, running

DEMO = kimono("demo", "--web.listen_address", "127.0.0.1:0", "--tenants", "2")


ALL_MISSING = (
    "Not installed: Prometheus, Alertmanager, Grafana. The demo shows the exporter alone. How to install: ",
    "apt-get install prometheus; apt-get install prometheus-alertmanager; https://grafana.com/grafana/download",
)


def line(process: Process, pattern: str) -> re.Match[str]:
    return eventually(lambda: re.search(f"^{pattern}$", process.output, re.MULTILINE))


def test_without_programs_one_line_says_what_is_missing_and_how_to_install_it(tmp_path: Path) -> None:
    with running(DEMO, {"PATH": ""}, tmp_path) as process:
        line(process, "Not installed: .*")
        assert process.output.splitlines()[4:] == ["".join(ALL_MISSING)]
        assert psutil.Process(process.popen.pid).children() == []
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0


def test_nothing_is_missing_if_all_are_there() -> None:
    assert missing(dict.fromkeys(("Prometheus", "Alertmanager", "Grafana"), ("x",))) == ""
    assert missing({"Prometheus": ("x",), "Alertmanager": ("x",)}) == (
        "Not installed: Grafana. How to install: https://grafana.com/grafana/download\n"
    )


def test_the_exporter_alone_is_an_option(tmp_path: Path) -> None:
    started = program(tmp_path / "bin", "prometheus", SERVING)
    with running([*DEMO, "--exporter-only"], {"PATH": str(tmp_path / "bin")}, tmp_path / "demo") as process:
        line(process, "Stop it with Ctrl-C.")
        page = line(process, r"Status page: (\S+)/ .*")[1]
        eventually(lambda: "kimono_tenants 2.0" in get(f"{page}/metrics"))
        assert len(process.output.splitlines()) == 4
        assert not started.exists()


def test_with_access_rules_prometheus_could_not_scrape_so_it_is_not_started(tmp_path: Path) -> None:
    program(tmp_path / "bin", "prometheus", FAILING)
    (tmp_path / "web.yml").write_text("{}")
    command = [*DEMO, "--web.config_file", str(tmp_path / "web.yml")]
    with running(command, {"PATH": str(tmp_path / "bin")}, tmp_path / "demo") as process:
        line(process, "With web.config_file, the demo shows the exporter alone.")


@pytest.mark.parametrize("name", ["grafana", "grafana-server"])
def test_grafana_is_provisioned_for_anonymous_viewers(name: str, tmp_path: Path) -> None:
    home = tmp_path / "grafana-13"
    home.mkdir()
    written = program(home / "bin", name, SERVING)
    for folder in ("conf", "data/plugins-bundled"):
        (home / folder).mkdir(parents=True)
    (home / "conf/defaults.ini").write_text("")
    scraper = program(tmp_path / "bin", "prometheus", SERVING)
    environ = {"PATH": f"{tmp_path / 'bin'}:{home / 'bin'}", "KIMONO_SECRET": "S3CR3T", "GF_SECURITY_ADMIN_USER": "me"}
    with running(DEMO, environ, tmp_path / "demo") as process:
        url = line(process, r"Grafana: (http://127\.0\.0\.1:\d+)/d/kimono-fleet")[1]
        started = json.loads(written.read_text())
        argv = started["argv"][1:]
        assert argv[:-2] == (["server"] if name == "grafana" else [])
        assert argv[-2] == f"--homepath={home}"
        assert started["environ"].keys() <= {"PATH", "HOME", "LC_CTYPE"}
        folder = Path(started["folder"]) / "grafana"
        assert argv[-1] == f"--config={folder / 'grafana.ini'}"
        ini = configparser.ConfigParser(interpolation=None)
        ini.read(folder / "grafana.ini")
        check_ini(ini, folder, home, url)
        check_provisioning(folder, json.loads(scraper.read_text())["argv"], url)


def check_ini(ini: configparser.ConfigParser, folder: Path, home: Path, url: str) -> None:
    assert f"http://{ini['server']['http_addr']}:{ini['server']['http_port']}" == url
    assert (ini["auth.anonymous"]["enabled"], ini["auth.anonymous"]["org_role"]) == ("true", "Viewer")
    for section, name in (("analytics", "reporting_enabled"), ("analytics", "check_for_updates")):
        assert ini[section][name] == "false"
    assert dict(ini["unified_alerting"]) == {"enabled": "true", "execute_alerts": "false"}
    paths = dict(ini["paths"])
    assert paths.pop("bundled_plugins") == str(home / "data/plugins-bundled")
    assert all(Path(path).is_relative_to(folder) for path in paths.values())
    assert Path(ini["dashboards"]["default_home_dashboard_path"]).is_file()


def check_provisioning(folder: Path, prometheus: list[str], url: str) -> None:
    """By https://grafana.com/docs/grafana/latest/administration/provisioning/ and the examples in deploy/."""

    def read(path: Path) -> Any:
        return yaml.safe_load(path.read_text())

    deployed = Path(__file__).parents[2] / "deploy/grafana/provisioning"
    sources, boards = (folder / "provisioning" / name / "kimono.yaml" for name in ("datasources", "dashboards"))
    (source,), (known,) = read(sources)["datasources"], read(deployed / "datasources/kimono.yaml")["datasources"]
    assert source.keys() == known.keys() | {"isDefault"}
    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    assert f"--web.listen-address={source['url'].removeprefix('http://')}" in prometheus
    (provider,), (example,) = read(boards)["providers"], read(deployed / "dashboards/kimono.yaml")["providers"]
    assert provider.keys() <= example.keys()
    texts = [path.read_text() for path in Path(provider["options"]["path"]).glob("*.json")]
    assert {json.loads(text)["uid"] for text in texts} >= {"kimono-fleet", "kimono-tenant"}
    assert all("/alerting/list" not in text for text in texts)
    assert {read(sources)["apiVersion"], read(boards)["apiVersion"]} == {1}
    assert f"dashboard_url: {url}/d/kimono-fleet" in (folder.parent / "kimono.rules.yaml").read_text()


def test_a_program_that_can_not_start_is_shown_with_its_last_line_and_the_others_go_on(tmp_path: Path) -> None:
    program(tmp_path / "bin", "prometheus", SERVING)
    program(tmp_path / "bin", "alertmanager", FAILING)
    (tmp_path / "bin/grafana").write_text("#!/nowhere/python\n")
    (tmp_path / "bin/grafana").chmod(0o755)
    with running(DEMO, {"PATH": str(tmp_path / "bin")}, tmp_path / "demo") as process:
        line(process, r"Alertmanager can't start \(exit code 4\): no such flag: --x")
        line(process, "Can't start Grafana: No such file or directory")
        url = line(process, r"Prometheus: (\S+)/alerts")[1]
        answers(f"{url}/die")
        ended = line(process, r"Prometheus ended \(exit code 3\): (.*)")
        assert ended[1].startswith("a last line")
        assert "\x1b" not in process.output
        page = line(process, r"Status page: (\S+)/ .*")[1]
        assert "kimono_tenants 2.0" in get(f"{page}/metrics")
        process.send(signal.SIGINT)
        assert process.wait(5) == 0
        assert process.errors == ""


def test_what_does_not_stop_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    program(tmp_path / "bin", "prometheus", STUBBORN)
    with running(DEMO, {"PATH": str(tmp_path / "bin")}, tmp_path / "demo") as process:
        own = psutil.Process(process.popen.pid)
        started = eventually(lambda: len(found := own.children(recursive=True)) == 2 and found)
        process.send(signal.SIGTERM)
        assert process.wait(5) == 0
        eventually(lambda: not any(each.is_running() for each in started), 5)


def test_a_port_in_use_is_said_and_another_one_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        wanted = other.getsockname()[1]
        port = choose("Prometheus", wanted)
        said = f"Port {wanted} is in use by another program: Prometheus uses {port} instead.\n"
        assert capsys.readouterr().out == said
        assert port != wanted
    assert choose("Prometheus", port) == port
    assert capsys.readouterr().out == ""


def test_the_exporter_takes_another_port_only_if_none_was_asked_for(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 10120))
            other.listen()
        except OSError:
            pass  # another program has it: as good
        with running(kimono("demo", "--tenants", "2", "--exporter-only"), {}, tmp_path / "one") as process:
            port = line(process, r"Port 10120 is in use by another program: the exporter uses (\d+) instead\.")[1]
            line(process, rf"Status page: http://127\.0\.0\.1:{port}/ .*")
        command = kimono("demo", "--tenants", "2", "--web.listen_address", f"127.0.0.1:{port}")
        with socket.socket() as again:
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", int(port)))
            again.listen()
            with running(command, {}, tmp_path / "two") as process:
                assert process.wait(20) == 2
                assert "web.listen_address: can't listen on" in process.errors


@pytest.mark.parametrize("way", ["flag", "variable", "file"])
def test_a_port_that_was_set_is_not_replaced_though_it_is_the_default_one(way: str, tmp_path: Path) -> None:
    (tmp_path / "kimono.yaml").write_text("web: {listen_address: '127.0.0.1:10120'}")
    options, environ = {
        "flag": (["--web.listen-address", "127.0.0.1:10120"], {}),
        "variable": ([], {"KIMONO_WEB_LISTEN_ADDRESS": "127.0.0.1:10120"}),
        "file": (["--config.file", str(tmp_path / "kimono.yaml")], {}),
    }[way]
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 10120))
            other.listen()
        except OSError:
            pass  # another program has it: as good
        with running(kimono("demo", "--exporter-only", *options), environ, tmp_path / "demo") as process:
            assert process.wait(20) == 2
            assert "web.listen_address: can't listen on 127.0.0.1:10120: Address already in use" in process.errors
            assert process.output == ""


def test_the_listen_address_may_be_set_by_a_variable(tmp_path: Path) -> None:
    port = free_port()
    environ = {"KIMONO_WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}"}
    with running(kimono("demo", "--exporter-only"), environ, tmp_path / "demo") as process:
        line(process, rf"Status page: http://127\.0\.0\.1:{port}/ .*")


def test_a_notification_is_a_few_lines_without_control_characters() -> None:
    one = {
        "status": "firing",
        "labels": {"alertname": "KimonoSyncOverdue", "severity": "critical", "tenant_name": "Maple\x1b[2J\nLMS"},
        "annotations": {"summary": "A scheduled sync has not run"},
    }
    resolved = {"status": "resolved", "labels": {"alertname": "KimonoExporterDown"}, "annotations": {}}
    lines = list(notification("on-call", Notification.model_validate({"alerts": [one, resolved] * 4}).alerts))
    assert len(lines) == 6
    assert lines[0].startswith("To on-call: KimonoSyncOverdue (critical) fires for Maple")
    assert lines[0].endswith(": A scheduled sync has not run")
    assert lines[1] == "To on-call: KimonoExporterDown () is resolved: "
    assert lines[-1] == "To on-call: and 3 more alerts"
    assert all(text.isprintable() for text in lines)
