"""Tests every step of the Dockerfile that needs no container engine, on what `.dockerignore` leaves."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.release.dockerfile import Instruction, image_context, instructions
from deploy.release.image import Image, StepError, build
from exporter import __version__
from exporter.assets import assets, built_links
from exporter.assets.files import Choices
from exporter.simulator import Simulator
from tests.support.processes import answers, environment, eventually, free_port, served

ROOT = Path(__file__).parents[2]
SOURCE, REVISION = "https://git.example.net/a/b", "f" * 40
ARGUMENTS = {
    "KIMONO_BUILD_REVISION": REVISION,
    "KIMONO_BUILD_BRANCH": "main",
    "KIMONO_BUILD_SOURCE": SOURCE,
    "SOURCE_DATE_EPOCH": "1795730400",
    "VERSION": __version__,
    "CREATED": "2026-11-26T22:00:00Z",
}
PACKAGES = sysconfig.get_path("purelib")
LABELS = "org.opencontainers.image."


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build(ROOT, tmp_path_factory.mktemp("image"), sys.executable, ARGUMENTS, PACKAGES)


@pytest.fixture(scope="module")
def simulator() -> Iterator[dict[str, str]]:
    one = Simulator(tenants=3, seed=1)
    with served(one) as url:
        yield environment(one, url)


def test_the_program_knows_its_build(image: Image) -> None:
    out = image.run([*image.entrypoint, "--version"])
    assert out.startswith(f"kimono-exporter, version {__version__} (branch: main, revision: {REVISION})\n")
    assert "  build date:      20261126-22:00:00\n" in out


def test_the_program_has_its_assets_with_links_to_its_source(image: Image, tmp_path: Path) -> None:
    image.run([*image.entrypoint, "assets", str(tmp_path)])
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    links = built_links({"source": SOURCE, "revision": REVISION})
    assert found == assets(Choices(links))


def test_the_program_polls(image: Image, simulator: dict[str, str]) -> None:
    page = image.run([*image.entrypoint, "once"], **simulator)
    assert "\nkimono_tenants 3.0\n" in page


def test_the_health_check_of_the_image_sees_a_running_exporter(image: Image, simulator: dict[str, str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    environ = {**simulator, "KIMONO_WEB_LISTEN_ADDRESS": address}
    with pytest.raises(StepError, match="unhealthy"):
        image.run(image.health, **environ)
    with subprocess.Popen(image.entrypoint, env=image.environ | environ, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: answers(f"http://{address}/-/healthy"))
            assert image.run(image.health, **environ).startswith("ok: ")
        finally:
            process.terminate()


def test_the_folder_of_the_state_is_private(image: Image) -> None:
    assert (image.folder / "var/lib/kimono-exporter").stat().st_mode & 0o777 == 0o700


def test_labels_say_what_it_is_built_from(image: Image) -> None:
    labels = {name.removeprefix(LABELS): value for name, value in image.labels.items()}
    assert all(labels.values())
    assert labels["version"] == __version__
    assert (labels["revision"], labels["source"], labels["created"]) == (REVISION, SOURCE, "2026-11-26T22:00:00Z")
    assert labels["licenses"] == "Apache-2.0"


def test_both_stages_have_one_base_and_its_digest_is_one_if_there_is_one() -> None:
    steps = list(instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")))
    assert [step.text for step in steps if step.name == "FROM"] == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+-slim(@sha256:[0-9a-f]{64})?", steps[0].text)


def copy_of_inputs(folder: Path) -> Path:
    for path in image_context(ROOT, (ROOT / ".dockerignore").read_text()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path, follow_symlinks=False)
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copy2(ROOT / name, folder)
    return folder


@pytest.mark.parametrize("name", ["setup.py", "requirements.txt", "docs/runbooks"])
def test_a_source_that_is_ignored_is_an_error(name: str, tmp_path: Path) -> None:
    root, folder = copy_of_inputs(tmp_path / "root"), tmp_path / "image"
    ignore = root / ".dockerignore"
    assert f"\n!{name}\n" in ignore.read_text()
    ignore.write_text(ignore.read_text().replace(f"\n!{name}\n", "\n"))
    with pytest.raises(StepError, match=f"dockerignore leaves no {re.escape(name)}"):
        build(root, folder, sys.executable, ARGUMENTS, PACKAGES)


def test_a_step_that_fails_is_an_error_with_its_output(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("*\n")
    (tmp_path / "Dockerfile").write_text("FROM x\nRUN echo out && echo err >&2 \\\n  && exit 3\n")
    with pytest.raises(StepError, match=r"(?s)echo out .*\nout\nerr"):
        build(tmp_path, tmp_path / "image", sys.executable, {}, PACKAGES)
    (tmp_path / "Dockerfile").write_text("FROM x\nSHELL sh\n")
    with pytest.raises(StepError, match="SHELL is not known"):
        build(tmp_path, tmp_path / "other", sys.executable, {}, PACKAGES)


def test_the_last_pattern_that_matches_decides(tmp_path: Path) -> None:
    for name in ("a/b.txt", "a/c/d.txt", "a/c/__pycache__/e.pyc", "f.txt", ".git/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")

    def left(*patterns: str) -> list[str]:
        return [str(path) for path in image_context(tmp_path, "\n".join(patterns))]

    assert left("# all", "") == ["a/b.txt", "a/c/__pycache__/e.pyc", "a/c/d.txt", "f.txt"]
    assert left("*", "!a", "**/__pycache__") == ["a/b.txt", "a/c/d.txt"]
    assert left("*", "!a/*.txt") == ["a/b.txt"]
    assert left("**/*.txt") == ["a/c/__pycache__/e.pyc"]
    assert left("!a", "*") == []


def test_the_image_has_no_more_than_it_needs() -> None:
    found = image_context(ROOT, (ROOT / ".dockerignore").read_text(encoding="utf-8"))
    assert {path.parts[0] for path in found} == {
        *("LICENSE", "README.md", "alerts", "dashboards", "docs", "exporter", "pyproject.toml", "setup.py"),
        *("requirements.txt", "requirements-build.txt"),
    }
    assert not [path for path in found if path.suffix in (".pyc", ".png")]


def test_hadolint_finds_nothing() -> None:
    hadolint = str(Path(sys.executable).with_name("hadolint"))
    command = [hadolint, "--format", "json", "--failure-threshold", "warning", str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, [each["message"] for each in json.loads(done.stdout)]


def test_words_of_instructions() -> None:
    assert Instruction("CMD", '["a", "b c"]').words == ["a", "b c"]
    assert list(instructions("# x\nrun a \\\n  b\n\nENV A='b c'\n")) == [
        Instruction("RUN", "a b"),
        Instruction("ENV", "A='b c'"),
    ]
    assert Instruction("ENV", "A='b c'").words == ["A=b c"]
