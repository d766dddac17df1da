"""Runs the steps of the Dockerfile in a folder, without a container engine.

COPY gets only what `.dockerignore` leaves. RUN runs for real, with `/opt`, `/src` and `/var` below the folder. FROM is
a virtual environment of the given Python. USER is not followed, because that needs root.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.release.dockerfile import Instruction, image_context, instructions


class StepError(Exception):
    """A step failed. The text has the step, and what it printed."""


@dataclass
class Image:
    """What the steps made: the folder that stands for `/`, and what a container would start with."""

    folder: Path
    environ: dict[str, str]
    cwd: Path
    labels: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def run(self, command: Sequence[str] | str, **environ: str) -> str:
        """Run a command in the image, or a line in its shell, and return its output. Raises StepError."""
        line = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        done = subprocess.run(  # noqa: S603 - the project's own steps
            line, cwd=self.cwd, env=self.environ | environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StepError(f"{command if isinstance(command, str) else shlex.join(line)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def inside(self, text: str) -> str:
        """The text with its absolute paths below the folder."""
        return re.sub(r"(?<![\w./])/(?=(?:opt|src|var)\b)", f"{self.folder}/", text)


def build(root: Path, folder: Path, python: str, arguments: Mapping[str, str], packages: str | None = None) -> Image:
    """Run all steps with a Python; `arguments` are those of `--build-arg`.

    Requirements are installed from the package index. With `packages`, a folder with installed packages, no step needs
    the network: these are linked instead. Raises StepError.
    """
    base = folder / "python"
    without = ["--without-pip"] if packages else []
    subprocess.run([python, "-m", "venv", *without, str(base)], check=True)  # noqa: S603 - the caller's Python
    if packages:
        _link(packages, base)
    kept = {name: os.environ[name] for name in ("HOME", "PIP_INDEX_URL", "PIP_CONFIG_FILE") if name in os.environ}
    plain = {**kept, "PATH": f"{base / 'bin'}:/usr/sbin:/usr/bin:/sbin:/bin"}
    context = image_context(root, (root / ".dockerignore").read_text(encoding="utf-8"))
    image = Image(folder, dict(plain), folder)
    for step in instructions((root / "Dockerfile").read_text(encoding="utf-8")):
        if step.name == "FROM":  # a stage knows nothing of the one before
            image = Image(folder, dict(plain), folder)
        elif step.name == "COPY":
            _copy(root, context, step, image)
        elif step.name == "RUN" and packages and "--require-hashes" in step.text:
            _install_linked(packages, step, image)
        else:
            _apply(step, image, arguments)
    return image


def _apply(step: Instruction, image: Image, arguments: Mapping[str, str]) -> None:
    if step.name == "RUN":
        line = step.text if os.geteuid() == 0 else re.sub(r"--(owner|group) \d+", "", step.text)
        image.run(image.inside(line))
    elif step.name == "WORKDIR":
        image.cwd = Path(image.inside(step.text))
        image.cwd.mkdir(parents=True, exist_ok=True)
    elif step.name == "ARG":
        for name, has_default, default in (word.partition("=") for word in step.words):
            if name in arguments or has_default:
                image.environ[name] = arguments.get(name, default)
    elif step.name in ("ENV", "LABEL"):
        values = dict(word.split("=", 1) for word in step.words)
        known = {name: _filled(image.inside(value), image.environ) for name, value in values.items()}
        (image.environ if step.name == "ENV" else image.labels).update(known)
    elif step.name == "ENTRYPOINT":
        image.entrypoint = step.words
    elif step.name == "HEALTHCHECK":
        image.health = Instruction("CMD", step.text.partition(" CMD ")[2]).words
    elif step.name not in ("USER", "EXPOSE"):
        raise StepError(f"{step.name} is not known here")


def _filled(text: str, environ: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: environ.get(match[1], ""), text)


def _copy(root: Path, context: Sequence[Path], step: Instruction, image: Image) -> None:
    """Copy files of the context. Raises StepError if a source is missing in it."""
    *sources, target = (word for word in step.words if not word.startswith("--"))
    if any(word.startswith("--from=") for word in step.words):
        if not all(Path(image.inside(source)).exists() for source in sources):
            raise StepError(f"COPY {step.text}: no such file in the stage")
        return  # both stages are in one folder
    for source in sources:
        found = [path for path in context if path.is_relative_to(source)]
        if not found:
            raise StepError(f"COPY {step.text}: .dockerignore leaves no {source}")
        for path in found:
            below = path.relative_to(source) if path != Path(source) else Path(path.name)
            to = image.cwd / target / below
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, to, follow_symlinks=False)


def _install_linked(packages: str, step: Instruction, image: Image) -> None:
    if not (image.cwd / step.words[step.words.index("-r") + 1]).is_file():
        raise StepError(f"{step.text}: no such file in {image.cwd}")
    if "--python" in step.words:
        _link(packages, Path(image.inside(step.words[step.words.index("--python") + 1])))


def _link(packages: str, environment: Path) -> None:
    """Link installed packages and pip into an environment: all but the exporter, which is installed for real."""
    (site,) = environment.glob("lib/python*/site-packages")
    for path in Path(packages).iterdir():
        if not re.match(r"kimono_|__editable__", path.name):
            (site / path.name).symlink_to(path)
    pip = environment / "bin/pip"
    pip.write_text(f'#!/bin/sh\nexec {environment}/bin/python -m pip "$@"\n', encoding="utf-8")
    pip.chmod(0o755)
