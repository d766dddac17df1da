"""Tests the files that hosting, editors and bots read: against their schemas, the Makefile, and each other."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.release.environments import SUPPORTED

ROOT = Path(__file__).parents[2]
HOSTING = ROOT / ".github"
WORKFLOWS = sorted((HOSTING / "workflows").glob("*.yml"))
FORMS = [HOSTING / "ISSUE_TEMPLATE" / name for name in ("bug.yml", "feature.yml")]
SCHEMAS = {
    "github-workflows": WORKFLOWS,
    "github-issue-forms": FORMS,
    "github-issue-config": [HOSTING / "ISSUE_TEMPLATE" / "config.yml"],
    "renovate": [ROOT / "renovate.json"],
}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"(?m)^([a-z-]+):.*##", MAKEFILE))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def follows(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """Whether files follow a schema that check-jsonschema brings with it, without the network."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield f"{path.stem} {name}", job


STEPS = [(name, step) for name, job in jobs() for step in job.get("steps", [])]
COMMANDS = [(name, step["run"]) for name, step in STEPS if "run" in step]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_file_follows_its_schema(schema: str) -> None:
    assert SCHEMAS[schema]
    done = follows(schema, *SCHEMAS[schema])
    assert done.returncode == 0, done.stdout


def test_a_file_that_does_not_follow_its_schema_is_seen(tmp_path: Path) -> None:
    text = WORKFLOWS[0].read_text(encoding="utf-8")
    (tmp_path / "bad.yml").write_text(text.replace("runs-on:", "runs:"), encoding="utf-8")
    assert follows("github-workflows", tmp_path / "bad.yml").returncode == 1


def test_the_update_bot_reads_every_pinned_file() -> None:
    """The preset config:recommended ignores tests/, where modules of Go are."""
    assert list(ROOT.glob("tests/support/**/go.mod"))
    assert read(ROOT / "renovate.json")["ignorePaths"] == ["**/node_modules/**"]


def test_the_workflow_runs_what_a_person_runs() -> None:
    commands = [command for name, command in COMMANDS if name == "ci test"]
    assert commands[-1] == ".ci/run"
    assert (ROOT / ".ci/run").stat().st_mode & 0o100
    assert read(HOSTING / "workflows/release.yml")["jobs"]["ci"]["uses"] == "./.github/workflows/ci.yml"


def test_each_job_of_a_release_waits_for_all_checks() -> None:
    release = read(HOSTING / "workflows/release.yml")["jobs"]
    assert release.pop("ci")
    assert {name: job["needs"] for name, job in release.items()} == {
        "artefacts": "ci",
        "package": "artefacts",
        "image": "artefacts",
    }


def test_a_base_image_without_a_digest_stops_a_release_before_anything_is_published() -> None:
    first = next(
        step for step in read(HOSTING / "workflows/release.yml")["jobs"]["artefacts"]["steps"] if "run" in step
    )
    assert first["run"] == "make image-pinned"
    assert first["if"] == "vars.IMAGE_REGISTRY != ''"


@pytest.mark.parametrize(("where", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_each_target_that_a_workflow_makes_exists(where: str, command: str) -> None:
    assert set(re.findall(r"\bmake ([a-z-]+)", command)) <= TARGETS, where


def test_each_job_ends_by_itself_and_has_no_rights_that_it_does_not_name() -> None:
    for name, job in jobs():
        assert "uses" in job or job["timeout-minutes"] <= 60, name
    assert all(read(path)["permissions"] == {"contents": "read"} for path in WORKFLOWS)


def test_each_action_has_a_version() -> None:
    uses = [step["uses"] for _, step in STEPS if "uses" in step]
    assert len(uses) > 8
    assert [each for each in uses if not re.fullmatch(r"[\w./-]+@(v\d+(\.\d+)*|release/v\d+|[0-9a-f]{40})", each)] == []


def test_an_expression_never_becomes_part_of_a_command() -> None:
    assert [command for _, command in COMMANDS if "${{" in re.sub(r"'[^'\n]*'", "", command)] == []


def test_no_workflow_names_a_registry() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    assert re.findall(r"\b[\w-]+\.(?:io|org|com|dev|net)\b", text) == []
    for name in ("vars.IMAGE_REGISTRY", "vars.PACKAGE_INDEX_URL"):
        assert f"{name} != ''" in text


def test_the_supported_pythons_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = [each.rpartition(":: ")[2] for each in project["project"]["classifiers"] if ":: 3." in each]
    matrix = read(HOSTING / "workflows/ci.yml")["jobs"]["environments"]["strategy"]["matrix"]["python"]
    assert list(SUPPORTED) == named == matrix
    assert project["project"]["requires-python"] == f">={SUPPORTED[0]}"


def test_hooks_run_what_make_check_runs_and_install_nothing() -> None:
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    check = MAKEFILE.partition("\ncheck:")[2].partition("\n\n")[0]
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert {"id", "name", "entry"} <= hook.keys()
        if hook["entry"].startswith("make "):
            assert hook["entry"].split()[-1] in TARGETS
        else:
            assert " ".join(hook["entry"].split()[:2]) in check


def test_templates_ask_for_the_version_and_warn_of_secrets() -> None:
    bug = FORMS[0].read_text(encoding="utf-8")
    assert "kimono-exporter --version" in bug
    assert "SECURITY.md" in bug
    assert (ROOT / "SECURITY.md").is_file()
    template = (HOSTING / "PULL_REQUEST_TEMPLATE.md").read_text(encoding="utf-8")
    named = {target for each in re.findall(r"`make ([a-z -]+)`", template) for target in each.split()}
    assert named
    assert named <= TARGETS


def committed() -> list[Path]:
    """Text files of this project."""
    folders = ("exporter", "tests", "docs", "deploy", "dashboards", "alerts", "bench", ".github", ".ci")
    found = [path for name in folders for path in (ROOT / name).rglob("*") if path.is_file()]
    found += [path for path in ROOT.iterdir() if path.is_file() and path.name not in (".git", ".coverage")]
    kept = (".py", ".md", ".yaml", ".yml", ".html", ".css", ".toml", ".txt", ".json", ".in", "")
    return [
        path for path in found if path.suffix in kept and "__pycache__" not in path.parts and ".venv" not in path.parts
    ]


def test_files_are_as_the_editor_configuration_says() -> None:
    text = (ROOT / ".editorconfig").read_text(encoding="utf-8")
    rules = configparser.ConfigParser()
    rules.read_string(f"[top]\n{text}")
    assert rules["top"]["root"] == "true"
    assert dict(rules["*"]) | {"charset": "utf-8", "end_of_line": "lf"} == dict(rules["*"])
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    assert rules["*"]["max_line_length"] == str(ruff["line-length"])
    assert rules["*"]["insert_final_newline"] == rules["*"]["trim_trailing_whitespace"] == "true"
    exempt = ("tests/golden/", "tests/fixtures/")
    wrong = []
    for path in committed():
        name, content = path.relative_to(ROOT).as_posix(), path.read_bytes()
        if name.startswith(exempt) or not content or b"\0" in content:
            continue
        if b"\r" in content or not content.endswith(b"\n") or re.search(rb"[ \t]+$", content, re.MULTILINE):
            wrong.append(name)
    assert wrong == []
