"""Follows the example in CONTRIBUTING.md to the letter, in a copy of the repository."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import eventually, get

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[1]
# The tests that follow the tuple of collectors. They run in the copy as they are.
TESTS = (
    "tests/test_golden.py",
    "tests/test_reference.py",
    "tests/settings/test_tree.py",
    "tests/settings/test_configuration_page.py",
    "tests/api/test_models.py",
    "tests/api/test_on_the_wire.py::test_nothing_but_get_and_the_token_request_ever_leaves",
    "tests/api/test_on_the_wire.py::test_under_every_fault_only_reads_leave_whoever_asks",
)
# What the targets of the Makefile run.
MAKE = {"golden": ("-m", "pytest", "tests/test_golden.py", "--golden"), "docs": ("docs/generate.py",)}


@dataclass(frozen=True)
class Block:
    """A code block, and the last file that the text before it names."""

    file: str
    language: str
    text: str


def blocks(markdown: str) -> Iterator[Block]:
    file = ""
    for text, language, code in re.findall(r"(.*?)^```(\w*)\n(.*?)^```$", markdown, re.DOTALL | re.MULTILINE):
        named = re.findall(r"`((?:\w+/)+\w+\.\w+)`", text)
        file = named[-1] if named else file
        yield Block(file, language, code)


EXAMPLE = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("\n## Add a collector\n")[2]
BLOCKS = list(blocks(EXAMPLE))
EDITS = [block for block in BLOCKS if block.language in ("python", "diff", "json")]
GOLDEN, PUBLISHED, METRICS, CONFIGURATION = (block for block in BLOCKS if not block.language)


def follow(edit: Block, folder: Path) -> None:
    """Make a new file, append to an existing one, or apply a difference."""
    path = folder / edit.file
    if edit.language == "diff":
        lines = edit.text.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        before = path.read_text(encoding="utf-8")
        assert before.count(old) == 1, f"{edit.file} has not exactly one place for:\n{edit.text}"
        path.write_text(before.replace(old, new), encoding="utf-8")
    elif path.exists():
        path.write_text(f"{path.read_text(encoding='utf-8')}\n\n{edit.text}", encoding="utf-8")
    else:
        path.write_text(edit.text, encoding="utf-8")


@dataclass(frozen=True)
class Copy:
    """A copy of the parts of the repository that the example needs."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        # Coverage must not measure the copy, and pytest must not take it for a worker of the outer run.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "KIMONO_", "PYTEST_"))}
        return {**kept, "PYTHONPATH": str(self.folder)}

    def python(self, *arguments: str) -> str:
        """Run the interpreter of this test in the copy; gives its output."""
        done = subprocess.run(
            (sys.executable, *arguments), cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{shlex.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def make(self, target: str) -> str:
        return self.python(*MAKE[target])

    def read(self, file: str) -> str:
        return (self.folder / file).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy in which the example was followed up to and including `make golden` and `make docs`."""
    one = Copy(tmp_path_factory.mktemp("copy"))
    for name in ("exporter", "tests", "docs", "deploy"):
        shutil.copytree(REPOSITORY / name, one.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copy(REPOSITORY / name, one.folder)
    for edit in EDITS:
        follow(edit, one.folder)
    commands = re.findall(r"Run `make (\w+)`", EXAMPLE)
    assert commands == ["golden", "docs"]
    for command in commands:
        one.make(command)
    return one


def lines_added(copy: Copy, file: str) -> str:
    """The lines that the example has added to a file; all others must be as before."""
    before, after = (REPOSITORY / file).read_text(encoding="utf-8").splitlines(), copy.read(file).splitlines()
    added = [line for line in after if line not in set(before)]
    assert [line for line in after if line not in set(added)] == before
    return "".join(f"{line}\n" for line in added)


def changed_files(copy: Copy) -> set[str]:
    """The files that are new, or differ from the repository's."""
    paths = {str(path.relative_to(copy.folder)) for path in copy.folder.rglob("*") if path.is_file()}
    names = {name for name in paths if "__pycache__" not in name and not name.startswith(".")}
    known = {name for name in names if (REPOSITORY / name).is_file()}
    return names - {name for name in known if (REPOSITORY / name).read_bytes() == (copy.folder / name).read_bytes()}


def test_the_example_changes_the_files_that_it_names_and_no_others(copy: Copy) -> None:
    assert changed_files(copy) == {block.file for block in BLOCKS if block.language != "sh"}


def test_the_golden_page_and_the_reference_are_those_of_the_example(copy: Copy) -> None:
    assert copy.read(GOLDEN.file) == GOLDEN.text
    for expected in (PUBLISHED, METRICS, CONFIGURATION):
        assert lines_added(copy, expected.file) == expected.text


def test_the_example_passes_the_checks_of_style_and_layers(copy: Copy) -> None:
    changed = sorted({edit.file for edit in EDITS if edit.file.endswith(".py")})
    copy.python("-m", "ruff", "check", "--no-cache", *changed)
    copy.python("-m", "ruff", "format", "--no-cache", "--check", *changed)
    copy.python("-c", "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()")


def test_the_tests_that_follow_the_collectors_pass_unchanged(copy: Copy) -> None:
    copy.python("-m", "pytest", "--quiet", "-p", "no:cacheprovider", *TESTS)


def test_the_demo_has_the_flag_and_shows_the_metric(copy: Copy) -> None:
    (commands,) = (block.text for block in BLOCKS if block.language == "sh")
    ((arguments, metric),) = re.findall(r'make demo ARGS="(.*)"\n.* \| grep (\w+)', commands)
    command = (
        sys.executable,
        "-m",
        "exporter",
        "demo",
        "--exporter-only",
        *shlex.split(arguments),
        "--web.listen-address=127.0.0.1:0",
    )
    with subprocess.Popen(command, cwd=copy.folder, env=copy.environ, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            page = next(line for line in demo.stdout if "Metrics: " in line).split()[-1]
            eventually(lambda: f"\n{metric}{{" in get(page))
        finally:
            demo.terminate()
