"""Adapts the Markdown files of the repository to the documentation site, while MkDocs builds it (see mkdocs.yml).

The files read well on a page that hosts code: links lead to files of the repository, and lists are indented by two or
three spaces. A site has only its own pages, and Python's Markdown needs four spaces. So this module

- includes each file outside docs/ that a page links to: Markdown below `project/`, other files below `files/`
- lets links to programs and folders lead to the repository, if KIMONO_BUILD_SOURCE has its address, as in
  `https://HOST/OWNER/NAME`; otherwise they become plain text
- indents lists by four spaces
"""

from __future__ import annotations

import posixpath
import re
import runpy
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# Not part of a link in a code block or in a line of code, which are matched first and kept.
_LINK = re.compile(
    r"(?P<code>^ *```.*?^ *```$|``.*?``|`[^`\n]*`)|\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+)\)",
    re.DOTALL | re.MULTILINE,
)
_ITEM = re.compile(r"( *)((?:[-*]|\d+\.) +)")
_OTHER_SITE = re.compile("[a-z]+:|#|/")
_NAME = re.compile(r"<code>([^<\s]+)</code>")
_INDENT = 4
# What is shown as a file. Programs are read in the repository.
_SHOWN = {".yaml", ".yml", ".json", ".hcl", ".service", ".socket", ".toml", ".txt", ""}


def slug(heading: str, separator: str) -> str:
    """The anchor of a heading, as pages that host code make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", separator)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Use the same anchors as pages that host code. The address of the repository has no credentials.

    The link to the repository is in the footer. With `repo_url`, the browser would ask the API of some hosts about it.
    """
    config.mdx_configs["toc"]["slugify"] = slug
    address = _address(str(config.extra.get("repository") or ""))
    config.extra["repository"] = address
    if address:
        config.extra["social"] = [{"icon": "material/source-repository", "link": address, "name": "Repository"}]
    return config


def _address(source: str) -> str:
    """The address of the repository for a browser, by the rules for the package. Errors do not repeat it."""
    address: str = runpy.run_path(str(ROOT / "setup.py"))["web_address"](source)
    if source and not address:
        reason = "KIMONO_BUILD_SOURCE is not the address of a repository"
        raise PluginError(f"{reason}. How to fix: KIMONO_BUILD_SOURCE=https://HOST/OWNER/NAME")
    return address


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ that pages link to, and those that these link to."""
    to_read = [ROOT / "docs" / file.src_uri for file in files.documentation_pages()]
    seen = {*to_read}
    while to_read:
        for path in _linked(to_read.pop()):
            uri = _in_site(path)
            if path in seen or uri is None or files.get_file_from_path(uri):
                continue
            seen.add(path)
            files.append(_included(uri, path, config))
            if path.suffix == ".md":
                to_read.append(path)
    return files


def _included(uri: str, path: Path, config: MkDocsConfig) -> File:
    file = File.generated(config, uri, abs_src_path=str(path))
    if path.suffix == ".md":
        file.inclusion = InclusionLevel.NOT_IN_NAV
    return file


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links and lists."""
    del files
    source = Path(str(page.file.abs_src_path))
    rewritten = partial(_rewritten, source=source, uri=page.file.src_uri, repository=config.extra["repository"])
    return indented(_LINK.sub(rewritten, markdown))


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Let names in tables break only after dots and underscores. Not earlier: the search would see parts of names."""
    del page, config
    return re.sub(r"<td.*?</td>", lambda cell: _NAME.sub(_breakable, cell[0]), output, flags=re.DOTALL)


def _breakable(found: re.Match[str]) -> str:
    name = re.sub("([_.])(?=[A-Za-z])", r"\1<wbr>", found[1])
    return f'<code class="name">{name}</code>'


def _linked(page: Path) -> Iterator[Path]:
    """The files of the repository that a page links to."""
    for found in _LINK.finditer(page.read_text(encoding="utf-8")):
        target = found["target"]
        if target and not _OTHER_SITE.match(target):
            yield _absolute(page, target)


def _absolute(page: Path, target: str) -> Path:
    return Path(posixpath.normpath((page.parent / target.partition("#")[0]).as_posix()))


def _in_site(path: Path) -> str | None:
    """Where the site has a file of the repository, or None."""
    if not path.is_file() or not path.is_relative_to(ROOT):
        return None
    inside = path.relative_to(ROOT).as_posix()
    if inside.startswith("docs/"):
        return inside.removeprefix("docs/")
    if inside == "README.md":
        return "index.md"
    if path.suffix == ".md":
        return f"project/{inside}"
    return f"files/{inside}" if path.suffix in _SHOWN else None


def _rewritten(found: re.Match[str], *, source: Path, uri: str, repository: str) -> str:
    target = found["target"]
    if target is None or _OTHER_SITE.match(target):
        return found[0]
    path = _absolute(source, target)
    anchor = "".join(target.partition("#")[1:])
    if not path.exists():
        return found[0]  # MkDocs says so
    there = _in_site(path)
    text = _LINK.sub(partial(_rewritten, source=source, uri=uri, repository=repository), found["text"])
    if there is not None:
        return f"[{text}]({posixpath.relpath(there, posixpath.dirname(uri) or '.')}{anchor})"
    kind = "tree" if path.is_dir() else "blob"
    inside = path.relative_to(ROOT).as_posix()
    return f"[{text}]({repository}/{kind}/main/{inside}{anchor})" if repository else text


def indented(markdown: str) -> str:
    """The text with the contents of each list item indented by four spaces for each level."""
    columns: list[int] = []  # where the contents of the open items begin
    lines = []
    for line in markdown.split("\n"):
        column = len(line) - len(line.lstrip(" "))
        if line.strip():
            while columns and column < columns[-1]:
                columns.pop()
        depth, rest = len(columns), line[columns[-1] if columns else 0 :]
        lines.append(" " * _INDENT * depth + rest if line.strip() else line)
        item = _ITEM.match(line)
        if item and column - (columns[-1] if columns else 0) < _INDENT:  # more is code
            columns.append(len(item[0]))
    return "\n".join(lines)
