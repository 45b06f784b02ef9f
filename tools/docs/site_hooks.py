"""Hooks of MkDocs: what the documentation site has beside the files in docs.

- The README is its first page, the changelog another, and each requirement has a page.
- Links that lead out of docs, as they have to on a code host, lead to these pages or to the
  repository.
- The id of a requirement, wherever a page mentions it, is a link to its page.
"""

from __future__ import annotations

import posixpath
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.treeprocessors import Treeprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the suite of this checkout, whether or not it is installed

import examples  # noqa: E402
import requirement_pages  # noqa: E402

from conformance.requirements import REQUIREMENTS  # noqa: E402

ROOT_PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}
"""Files in the root of the repository that are pages, by their name there and in the site."""


def site_link(link: str, source: str, repository: str) -> str:
    """Return a link of a page as it has to be in the site, where docs is the root.

    Args:
        link: The link as it stands in the file; what is absolute or external stays as it is.
        source: The file, relative to the root of the repository.
        repository: The address of files in the repository.
    """
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
        return link
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), parts.path))
    anchor = f"#{parts.fragment}" if parts.fragment else ""
    if path in ROOT_PAGES:
        return f"/{ROOT_PAGES[path]}{anchor}"
    if path.startswith("docs/") or not (ROOT / path).exists():
        return f"/{path.removeprefix('docs/')}{anchor}"  # MkDocs reports what is not there
    return f"{repository}/{path}{anchor}"


class _Links(Treeprocessor):
    def __init__(self, md: Markdown, owner: RepositoryLinks) -> None:
        super().__init__(md)
        self._owner = owner

    def run(self, root: Element) -> None:
        for element in root.iter():
            for name in ("href", "src"):
                if link := element.get(name):
                    element.set(name, site_link(link, self._owner.source, self._owner.repository))


class _Id(InlineProcessor):
    ANCESTOR_EXCLUDES = ("a", "h1", "h2", "h3", "h4", "h5", "h6")

    def handleMatch(self, m: Any, data: str) -> tuple[Element | str, int, int]:  # noqa: ARG002, N802
        identity = m.group(0)
        if identity not in REQUIREMENTS:
            return identity, m.start(0), m.end(0)
        link = Element("a", {"href": f"/requirements/{identity}.md"})
        link.text = identity
        return link, m.start(0), m.end(0)


class RepositoryLinks(Extension):
    """An extension of Markdown for links that lead out of docs, and for ids of requirements.

    Attributes:
        source: The file of the page that is being rendered, relative to the root of the repository.
        repository: The address of files in the repository.
    """

    source = ""
    repository = ""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """Register it before the extension of MkDocs that checks links, which has priority 0."""
        md.treeprocessors.register(_Links(md, self), "repository-links", 5)
        md.inlinePatterns.register(_Id(r"\bBN-[A-Z]+(?:-[A-Z]+)*-\d+\b"), "requirement-ids", 50)


_LINKS = RepositoryLinks()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the extension, and what the navigation leaves to be filled in."""
    _LINKS.repository = f"{config.extra['repository']}/blob/{config.extra['revision']}"
    config.markdown_extensions.append(_LINKS)
    config.nav = _filled(config.nav)
    return config


def _filled(entry: Any) -> Any:
    """Return a part of the navigation with the entries for which ``folder/*`` stands."""
    if isinstance(entry, dict):
        return {title: _filled(inner) for title, inner in entry.items()}
    if not isinstance(entry, list):
        return entry
    found: list[Any] = []
    for each in entry:
        if each == "requirements/*":
            found += requirement_pages.navigation()
        elif isinstance(each, str) and each.endswith("/*"):
            found += sorted(
                path.relative_to(ROOT / "docs").as_posix()
                for path in (ROOT / "docs").glob(f"{each}.md")
            )
        else:
            found.append(_filled(each))
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files in docs."""
    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    for name, text in requirement_pages.pages(examples.read()).items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Note which file is being rendered; the text stays as it is."""
    in_root = {page: name for name, page in ROOT_PAGES.items()}
    uri = page.file.src_uri
    _LINKS.source = in_root.get(uri, f"docs/{uri}")
    return markdown
