"""The documentation site is built without a broken link, and has a page for each requirement."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from markdown_it import MarkdownIt
from support.browser import CHROMIUM, DRIVER, Browser, browser
from support.sampling import THEME_OF, exhaustive, sample_parameters

from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.pages import page_of
from conformance.requirements.verdict import Outcome
from impl.faulty import FAULTS

pytest.importorskip("material", reason="needs `pip install --group docs`")

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "tools" / "docs"))

import examples  # noqa: E402
import requirement_pages  # noqa: E402
from fault_code import codes  # noqa: E402
from site_hooks import ROOT_PAGES, site_link  # noqa: E402

EXAMPLES = examples.read()
JUDGED = {name: row for name, row in REQUIREMENTS.items() if row.mistakes}
PAGES = requirement_pages.pages(EXAMPLES)
ADDRESS = "https://example.org/blob/main"


def build(target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Build the site as ``tox -e site`` does."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", target, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"REPOSITORY_URL": "https://example.org"},
    )


class Html(HTMLParser):
    """Counts the elements of a page's text, and collects ids, links and what the page loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.ids.add(given.get("id", ""))
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif "src" in given or (tag == "link" and given.get("rel") != "canonical"):
            self.loaded.append(given.get("src") or given.get("href", ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as it is built from the files of the checkout."""
    target = tmp_path_factory.mktemp("site")
    done = build(target)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def read(file: Path) -> Html:
    return Html(file.read_text(encoding="utf-8"))


def test_the_page_of_each_requirement_is_where_explain_says(site):
    """It has the anchors that do not change, and others link to it."""
    listed = read(site / "requirements" / "index.html").links
    for identity, row in REQUIREMENTS.items():
        address = page_of(identity)
        page = read(site / address[address.index("requirements/") :] / "index.html")
        judged = {"mistakes", "example"} if identity in JUDGED else set()
        assert {"why", "grounds", "property", "history"} | judged <= page.ids, identity
        assert f"{identity}/" in listed
        assert f"../{row.family}/" in page.links


def test_a_page_loads_nothing_from_elsewhere(site):
    """Neither fonts nor scripts nor pictures: it can be read without a network."""
    files = list(site.rglob("*.html"))
    loaded = {each for file in files for each in read(file).loaded}
    assert len(files) > len(REQUIREMENTS)
    assert any(each.endswith(".css") for each in loaded)
    assert [each for each in loaded if urlsplit(each).netloc] == []


def test_the_site_shows_what_a_code_host_shows(site):
    """Each page has as many items, tables, blocks of code and headings as in CommonMark."""
    parser = MarkdownIt("commonmark").enable("table")
    named = {ROOT / name: page for name, page in ROOT_PAGES.items()}
    docs = ROOT / "docs"
    sources = {path: path.relative_to(docs).as_posix() for path in docs.rglob("*.md")} | named
    tags = ("li", "pre", "table", "tr", "h2", "h3")
    for source, name in sources.items():
        text = source.read_text(encoding="utf-8")
        folder = site if name == "index.md" else site / name.removesuffix(".md")
        shown = (folder / "index.html").read_text(encoding="utf-8")
        article = re.search(r"<article.*?</article>", shown, re.DOTALL)[0]
        expected, got = Html(parser.render(text)).counts, Html(article).counts
        assert [got.get(tag, 0) for tag in tags] == [expected.get(tag, 0) for tag in tags], name


def test_a_requirement_is_found_by_its_id_and_by_its_words(site):
    """Its page comes first, or among the first of those that use the words."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    with serve(site) as address, browser() as tab:
        # from another page each time: a browser restores what was typed on the same one
        assert found(tab, f"{address}usage/", "BN-EMA-4")[0].startswith("BN-EMA-4: ")
        assert found(tab, f"{address}pytest/", "grad-10")[0].startswith("BN-GRAD-10: ")
        titles = found(tab, f"{address}api/", "inside root")
        assert any(title.startswith("BN-EPS-1: ") for title in titles)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder to this machine; the search of a site needs HTTP."""
    handler = partial(SilentHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def found(tab: Browser, address: str, typed: str) -> list[str]:
    """Return the titles that the search on a page offers first, when something is typed."""
    tab.visit(address)
    tab.run("document.querySelector('label[for=__search]').click()")
    tab.press(*typed)
    script = "return [...document.querySelectorAll('.md-search-result h1')].map(e => e.innerText)"
    last: list[str] = []
    for _ in range(100):  # until the same titles are there twice
        time.sleep(0.3)
        titles = tab.run(script)
        if titles and titles == last:
            return list(titles[:5])
        last = titles
    pytest.fail(f"no results for {typed}")


@exhaustive
def test_a_broken_link_ends_the_build(tmp_path):
    """So does an anchor that is missing, and a page that the navigation does not have."""
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", docs)
    lost = "[a](nowhere.md) [b](usage.md#nowhere) [c](../nowhere.py)\n"
    (docs / "lost.md").write_text(lost, encoding="utf-8")
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config = re.sub(r"^watch: .*$", "", config, flags=re.MULTILINE)
    config = config.replace("tools/docs/site_hooks.py", str(ROOT / "tools/docs/site_hooks.py"))
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")

    done = build(tmp_path / "site", "--config-file", str(tmp_path / "mkdocs.yml"))

    assert done.returncode == 1
    for complaint in ("- lost.md", "'/nowhere.md'", "'#nowhere'", "'/nowhere.py'"):
        assert complaint in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("link", "source", "expected"),
    [
        ("usage.md#outcomes", "docs/any-layer.md", "/usage.md#outcomes"),
        ("docs/usage.md", "README.md", "/usage.md"),
        ("../README.md#install", "docs/pytest.md", "/index.md#install"),
        ("../CHANGELOG.md", "docs/api.md", "/changelog.md"),
        ("../../README.md", "docs/findings/a.md", "/index.md"),
        ("flax-one-pass.py", "docs/findings/a.md", "/findings/flax-one-pass.py"),
        ("../pyproject.toml", "docs/usage.md", f"{ADDRESS}/pyproject.toml"),
        ("LICENSE", "README.md", f"{ADDRESS}/LICENSE"),
        ("../nowhere.py", "docs/usage.md", "/nowhere.py"),
        ("#outcomes", "docs/usage.md", "#outcomes"),
        ("https://example.org/a", "docs/usage.md", "https://example.org/a"),
        ("mailto:a@example.org", "README.md", "mailto:a@example.org"),
    ],
)
def test_links_lead_where_they_lead_on_a_code_host(link, source, expected):
    """To the page, where the file is one; else to the file in docs or in the repository."""
    assert site_link(link, source, ADDRESS) == expected


@pytest.mark.parametrize("identity", REQUIREMENTS)
def test_the_page_of_a_requirement_has_all_of_it(identity):
    """Statement, formula, reason, grounds, mistakes, the faults that show them, and an example."""
    row, page = REQUIREMENTS[identity], PAGES[f"requirements/{identity}.md"]
    for text in (row.statement, row.formula, row.why, row.grounds, row.source, *row.mistakes):
        assert text[1:] in page
    assert "```text\n" in page.partition("## Why")[0]
    named = [fault for fault in FAULTS.values() if identity in fault.breaks]
    for fault in named:
        assert f"`{fault.name}` | {fault.sentence}" in page.replace("\\|", "|")
    if identity not in JUDGED:
        assert row.level.value == "may"
        assert not named
    else:
        assert EXAMPLES[identity]["fault"] in {fault.name for fault in named}
        assert codes()[EXAMPLES[identity]["fault"]].text in page


@pytest.mark.parametrize(
    "identity", sample_parameters(JUDGED, group=lambda name: THEME_OF[name], every=40)
)
def test_an_example_fails_as_it_is_shown(identity):
    """The stored inputs violate the requirement again, in the quantity that the page names."""
    stored = EXAMPLES[identity]
    subject = Subject(FAULTS[stored["fault"]].implementation)
    once = budget(minimize=False)
    verdict = judge_requirement(JUDGED[identity], subject, once, stored["values"])

    assert verdict.outcome is Outcome.VIOLATES, verdict.detail
    assert verdict.violation.inputs == stored["inputs"]
    assert verdict.violation.finding.label == stored["finding"]["quantity"]
