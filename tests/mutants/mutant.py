"""Defines a mutant: one deliberate break of the project, and the tests that must notice it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


class MutantError(Exception):
    """A mutant that can't be applied, or whose result says nothing. The text tells why."""


@dataclass(frozen=True)
class Mutant:
    """Replaces `text`, which must occur exactly once in `file`, by `replacement`.

    `name` says what is broken. `tests` are pytest's arguments: files, or tests in them by node id.
    `regenerate` holds arguments of Python that rewrite generated files afterwards, such as ("-m", "dashboards").
    """

    name: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]
    regenerate: tuple[str, ...] = ()

    def mutate(self, content: str) -> str:
        """The content of the file with the break in it. Raises MutantError."""
        times = content.count(self.text)
        if times != 1:
            raise MutantError(f"its text occurs {times} times in {self.file}, not once: {self.text!r}")
        return content.replace(self.text, self.replacement)

    def problems(self, root: Path = ROOT) -> Iterator[str]:
        """What is wrong with the mutant itself, found without running a test."""
        if not (root / self.file).is_file():
            yield f"there is no file {self.file}"
            return
        try:
            self.mutate((root / self.file).read_text(encoding="utf-8"))
        except MutantError as error:
            yield str(error)
        if self.text == self.replacement:
            yield "it changes nothing"
        for test in self.tests:
            path, _, name = test.partition("::")
            function = name.partition("[")[0]
            if not (root / path).exists():
                yield f"there is no file {path}"
            elif function and f"def {function}(" not in (root / path).read_text(encoding="utf-8"):
                yield f"there is no test {test}"
