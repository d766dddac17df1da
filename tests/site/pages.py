"""The pages of the documentation, and their code blocks."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LINKED = [*PAGES, *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))]
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A code block; `number` counts those of its page from 1."""

    page: Path
    number: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.number}"


def blocks(*languages: str) -> list[Block]:
    """The code blocks of all pages in these languages."""
    return [block for page in PAGES for block in _of(page) if block.language in languages]


def _of(page: Path) -> Iterator[Block]:
    found = _FENCED.findall(page.read_text(encoding="utf-8"))
    for number, (_, language, text) in enumerate(found, start=1):
        yield Block(page, number, language, textwrap.dedent(text))


def prose(page: Path) -> str:
    """The text of a page without its code."""
    return re.sub(r"``.*?``|`[^`\n]*`", "", _FENCED.sub("", page.read_text(encoding="utf-8")))


def slug(heading: str) -> str:
    """The anchor of a heading on a page that hosts code, which the site has as well (docs/site_hook.py)."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).strip().replace(" ", "-")


def anchors(page: Path) -> list[str]:
    """The anchors of a page's headings, in their order."""
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return [slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
