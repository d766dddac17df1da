"""Tests that package and documentation use the standard terms, one word for one thing, in short sentences."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += [path for name in ("docs", "bench") for path in sorted((ROOT / name).rglob("*.md"))]
DEPLOYED = [path for path in sorted((ROOT / "deploy").rglob("*")) if path.is_file() and path.suffix != ".pyc"]
LONGEST_SENTENCE = 25
# The standard term, and what stood for it once.
REPLACED = {
    "rate limit": r"(?<!error )budgets?|pays|everything sent",
    "poll": r"visit(s|ed|ing)?|due for longest|waited for longest",
    "fails, failing": r"can't be read|refuses to be read|unreadable",
    "alert fires": r"is told of|wakes|keeps silent|tells again",
    "data age": r"picture",
    "paused": r"let go",
    "fix": r"mend(s|ed)?",
    "finished": r"end(s|ed)? (well|badly)|made good|came to an end",
    "unknown": r"nobody knows|was not said|nobody says",
    "deferred, dropped, removed": r"parked|forgotten|taken off|left out",
    "state, history, cache": r"memories|what is remembered",
    "internal error": r"mistakes? of ours",
    "the person who does it": r"somebody|nobody|whoever|everyone|everybody",
}
FILES = [path for pattern in ("*.py", "*.html") for path in sorted((ROOT / "exporter").rglob(pattern))]
FILES += PAGES + DEPLOYED


@pytest.mark.parametrize("term", REPLACED)
def test_the_standard_term_is_used(term: str) -> None:
    pattern = re.compile(rf"\b({REPLACED[term]})\b", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, f"say {term}:\n" + "\n".join(found)


def sentences(markdown: str) -> list[str]:
    """The sentences of a page without its code blocks, headings and tables; code in a line is one word."""
    text = re.sub(r"^ *```.*?^ *```$", "\n", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^ *(#|\||<!--).*$", "\n", text, flags=re.MULTILINE).replace("**", "")
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`]*`", "code", text))
    items = re.split(r"\n\s*\n|^ *(?:-|\d+\.) ", text, flags=re.MULTILINE)
    return [" ".join(each.split()) for item in items for each in re.split(r"(?<=[.?!])\s+", item) if each.strip()]


def test_sentences_are_told_apart() -> None:
    page = "# No\n\nOne `a b`\nhere. Two!\n\n1. Three [four](x.md):\n\n   ```sh\n   no. no\n   ```\n\n   | no. |\n"
    page += "- **Five.** Six."
    assert sentences(page) == ["One code here.", "Two!", "Three four:", "Five.", "Six."]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_short(page: Path) -> None:
    found = sentences(page.read_text(encoding="utf-8"))
    assert found
    assert [each for each in found if len(each.split()) > LONGEST_SENTENCE] == []


def test_no_two_pages_have_the_same_paragraph() -> None:
    """One page would be changed without the other. A lead in bold does not count."""
    pages: dict[str, set[str]] = {}
    for page in PAGES:
        for paragraph in re.split(r"\n\s*\n", page.read_text(encoding="utf-8")):
            words = re.sub(r"^\*\*[^*]+\*\* ", "", paragraph.strip()).split()
            if len(words) > LONGEST_SENTENCE and words[0][0].isalpha():
                pages.setdefault(" ".join(words), set()).add(str(page.relative_to(ROOT)))
    assert pages
    assert {text: names for text, names in pages.items() if len(names) > 1} == {}
