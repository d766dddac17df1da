"""Tests that the committed files are what the code makes, and fit together in Grafana."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from promql_parser import parse_duration

from dashboards import __main__ as program
from dashboards.compact import WIDTH, compact
from tests.dashboards.parts import BOARDS, FOLDER, parsed

ROOT = FOLDER.parent
GRAFANA = ROOT / "deploy" / "grafana"
PROVISIONING = GRAFANA / "provisioning"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
# `kubectl apply` keeps a copy of what it applied in an annotation, and annotations may have so many bytes in all.
MOST_OF_ANNOTATIONS, OF_METADATA = 256 * 1024, 1024
LARGEST_PICTURE = 300_000


def test_what_is_committed_is_what_the_code_makes() -> None:
    made = dict(program.files())
    assert {path.stem for path in made} == BOARDS.keys()
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: make dashboards"


def test_the_check_passes() -> None:
    command = [sys.executable, "-m", "dashboards", "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == 0


def test_the_check_sees_what_is_stale_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "HERE", tmp_path / "dashboards")
    monkeypatch.setattr(sys, "argv", ["dashboards", "--check"])
    assert program.main() == 1
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr().err.count("make dashboards") == len(BOARDS)
    monkeypatch.setattr(sys, "argv", ["dashboards"])
    assert program.main() == 0
    monkeypatch.setattr(sys, "argv", ["dashboards", "--check"])
    assert program.main() == 0
    stale = tmp_path / "dashboards" / "kimono-fleet.json"
    stale.write_text(stale.read_text() + "\n")
    assert program.main() == 1
    assert "dashboards/kimono-fleet.json is stale" in capsys.readouterr().err


def test_compact_json_is_the_same_json_in_lines_that_are_not_too_long() -> None:
    value = {"a": [{"b": "x" * 50, "c": n, "": []} for n in range(9)], "d": {}, "e": None, "f": ["y" * 200]}
    text = compact(value)
    assert json.loads(text) == value
    assert [line for line in text.splitlines() if len(line) > WIDTH] == [f'  "f": [\n    "{"y" * 200}"'.splitlines()[1]]


# Kubernetes.


def test_the_kustomization_makes_a_configmap_of_each_dashboard_that_the_sidecar_finds() -> None:
    assert (KUSTOMIZATION["apiVersion"], KUSTOMIZATION["kind"]) == (
        "kustomize.config.k8s.io/v1beta1",
        "Kustomization",
    )
    made = KUSTOMIZATION["configMapGenerator"]
    assert made == [{"name": uid, "files": [f"{uid}.json"]} for uid in sorted(BOARDS)]
    assert KUSTOMIZATION["generatorOptions"] == {
        "disableNameSuffixHash": True,
        "labels": {"grafana_dashboard": "1"},
        "annotations": {"grafana_folder": "Kimono"},
    }


@pytest.mark.parametrize("uid", BOARDS)
def test_kubernetes_takes_a_configmap_of_that_size(uid: str) -> None:
    text = (FOLDER / f"{uid}.json").read_text(encoding="utf-8")
    assert len(json.dumps({"data": {f"{uid}.json": text}})) < MOST_OF_ANNOTATIONS - OF_METADATA


# Files.


def provisioned(kind: str) -> dict[str, list[dict]]:
    (path,) = (PROVISIONING / kind).glob("*.yaml")
    made = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert made.pop("apiVersion") == 1
    return made


def test_grafana_finds_the_dashboards_and_lets_nobody_edit_them() -> None:
    (provider,) = provisioned("dashboards")["providers"]
    assert (provider["type"], provider["folder"], provider["allowUiUpdates"]) == ("file", "Kimono", False)
    assert provider["options"]["foldersFromFilesStructure"] is False
    assert provider["folder"] == KUSTOMIZATION["generatorOptions"]["annotations"]["grafana_folder"]
    page = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")
    assert provider["options"]["path"] in page


def test_grafana_finds_a_prometheus_and_knows_how_often_it_scrapes() -> None:
    (source,) = provisioned("datasources")["datasources"]
    assert source["type"] == "prometheus"
    assert "isDefault" not in source  # two defaults, and Grafana does not start
    example = yaml.safe_load((ROOT / "deploy" / "prometheus.example.yaml").read_text(encoding="utf-8"))
    scraped = {parse_duration(job["scrape_interval"]) for job in example["scrape_configs"]}
    assert {parse_duration(source["jsonData"]["timeInterval"])} == scraped


@pytest.mark.parametrize("uid", BOARDS)
def test_there_is_a_picture_of_each_that_is_quick_to_load(uid: str) -> None:
    assert f"](images/{uid}.png)" in (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")
    picture = ROOT / "docs" / "images" / f"{uid}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < LARGEST_PICTURE


def test_the_page_tells_of_every_dashboard_and_file() -> None:
    page = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")
    for board in BOARDS.values():
        assert board.plain["title"] in page
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page):
        assert (ROOT / "docs" / target).exists(), target
    for query in re.findall(r"```promql\n(.*?)```", page, re.DOTALL):
        assert parsed(query)
