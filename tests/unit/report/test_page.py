"""The HTML report, in a real browser where there is one."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from support.browser import CHROMIUM, DRIVER, browser
from support.example_reports import EVERY, FINDING, IDS, WAIVED, report, verdict

from conformance.report.page import to_html
from conformance.report.plots import errors, times
from conformance.requirements.verdict import Outcome, Verdict, Violation

EVIL = (
    "<b>&\x1b[31m\u202eevil</b><script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\">"
)


def make_hostile_report():
    violation = Violation(finding=replace(FINDING, quantity=EVIL), inputs={EVIL: EVIL})
    hostile = verdict(
        "BN-EMA-1", Outcome.VIOLATES, implementation=EVIL, kind=EVIL, violation=violation
    )
    broken = verdict("BN-EMA-5", Outcome.ERRORED, implementation=EVIL, detail=EVIL)
    diagnosis = {"kind": "observed", "sentence": EVIL}
    make_hostile_report = report(*EVERY, hostile, broken)
    return replace(make_hostile_report, diagnoses={EVIL: diagnosis}, side_effects={EVIL: [EVIL]})


def test_the_page_needs_no_network():
    """The policy forbids everything but the page's own script and style, by digest."""
    html = to_html(make_hostile_report())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src &#39;none&#39;; style-src &#39;sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"(?:src|href)=\"(?!#)", html)


def test_hostile_text_is_escaped():
    """No markup, control character or reordering of an implementation is in the source."""
    html = to_html(make_hostile_report())
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "<script>document" not in html
    assert "<img" not in html
    assert r"&lt;b&gt;&amp;\x1b[31m\u202eevil" in html


def test_what_is_waived_does_not_conform():
    """The answer at the top says how many are waived, and is not green."""
    html = to_html(report(verdict(), WAIVED))
    answer = re.search(r'<p class="answer (\w+)">\s*(.*?)\s*</p>', html, re.DOTALL)
    assert answer[1] == "warn"
    assert "conforms but for 1 waiver" in answer[2]
    assert "1 of 2 requirements conform; 1 waived" in answer[2]
    assert "waived: it is so (#1)" in html


def test_unknown_requirements_have_a_row():
    """A report of another version of the suite is shown; unknown ids are marked."""
    other = verdict()
    html = to_html(report(replace(other, requirement="BN-NEW-7")))
    assert "BN-NEW-7" in html
    assert "not a requirement of this version" in html


def error_marks(*verdicts: Verdict) -> tuple[float, list[float]]:
    """Return where the limit is in the plot of errors, and where the marks are."""
    plot = errors(report(*verdicts), IDS)
    (limit,) = (tick["x"] for tick in plot["ticks"] if tick["limit"])
    return limit, [mark["x"] for line in plot["lines"] for mark in line["marks"]]


@pytest.mark.parametrize("worst", [1e-9, 0.01, 0.99])
def test_what_was_accepted_is_left_of_the_limit(worst: float):
    """An error below its bound is plotted below 1."""
    limit, (x,) = error_marks(verdict(worst=worst))
    assert x < limit


@pytest.mark.parametrize("value", [1.1, 5e5, 1e300, float("inf"), float("nan")])
def test_a_counterexample_is_right_of_the_limit(value: float):
    """A violation is plotted by its counterexample, whatever was accepted before."""
    violation = Violation(finding=replace(FINDING, ratio=value))
    limit, (x,) = error_marks(verdict(outcome=Outcome.VIOLATES, violation=violation, worst=0.1))
    assert x > limit


def test_errors_of_nothing_have_a_place_and_unmeasured_ones_none():
    """An error of 0 is at the left end; where nothing was measured, there is no mark."""
    _, (least, most) = error_marks(verdict(worst=0.0), verdict("BN-EMA-2", worst=0.5))
    assert least < most
    assert error_marks(verdict(worst=None))[1] == []


@pytest.mark.parametrize("count", [2, 3, 9])
def test_equal_errors_do_not_hide_one_another(count: int):
    """Marks of one line have heights of their own, within the line."""
    plot = errors(report(*(verdict(implementation=f"n{n}") for n in range(count))), ["BN-EMA-1"])
    (line,) = plot["lines"]
    heights = [mark["y"] for mark in line["marks"]]
    assert len(set(heights)) == count
    assert all(abs(height - line["y"]) <= 4 for height in heights)


def test_a_cell_tells_how_to_repeat_it():
    """By the requirement, and by the very case, if that has an id."""
    found = Violation(finding=FINDING, inputs={}, id="ema1-0a1b2c")
    html = to_html(report(verdict(outcome=Outcome.VIOLATES, violation=found), verdict("BN-EMA-2")))
    assert "conformance run impl -k BN-EMA-1\nconformance replay ema1-0a1b2c</pre>" in html
    assert html.count("conformance replay") == 1


def test_times_are_summed_over_implementations():
    """A bar is as long as all seconds of its requirement, and the longest is the widest."""
    make_hostile_report = report(
        verdict(), verdict(implementation="other"), verdict("BN-EMA-2", seconds=0.25)
    )
    bars = times(make_hostile_report, ["BN-EMA-1", "BN-EMA-2"])["bars"]
    assert [bar["label"] for bar in bars] == ["1.00 s", "0.25 s"]
    assert bars[0]["width"] == 4 * bars[1]["width"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs chromium and chromedriver")
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(make_hostile_report()), encoding="utf-8")
    with browser() as tab:
        tab.path = path
        yield tab


@pytest.fixture
def opened_page(page):
    page.open(page.path)
    return page


def rows(tab) -> list[str]:
    return tab.run(
        "return [...document.querySelectorAll('#rows > tr')]"
        ".filter(r => r.offsetParent !== null || r.getClientRects().length)"
        ".map(r => r.querySelector('.id').textContent)"
    )


def choose(tab, name: str, value: str) -> None:
    tab.run(
        f"const e = document.getElementById({name!r}); e.value = {value!r};"
        "e.dispatchEvent(new Event('input', {bubbles: true}))"
    )


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("family", "EMA", ["BN-EMA-1", "BN-EMA-4", "BN-EMA-5"]),
        ("outcome", "deviates", ["BN-NUM-1"]),
        ("text", "running mean towards", ["BN-EMA-1"]),
        ("text", "no such text", []),
    ],
)
def test_filters_work(opened_page, name, value, left):
    """A filter shows the matching rows and their number, and can be cleared."""
    everything = rows(opened_page)
    choose(opened_page, name, value)
    assert rows(opened_page) == left
    said = opened_page.run("return document.getElementById('shown').textContent")
    assert said == f"{len(left)} of {len(everything)} requirements"
    choose(opened_page, name, "")
    assert rows(opened_page) == everything


def test_cells_open_by_keyboard(opened_page):
    """A cell gets the focus, opens on Enter, and shows how to run it again."""
    opened_page.run("document.querySelector('details.violates > summary').focus()")
    hidden = "return document.querySelector('details.violates .cell').checkVisibility()"
    assert opened_page.run(hidden) is False
    opened_page.press("\ue007")
    assert opened_page.run(hidden) is True
    text = opened_page.run("return document.querySelector('details.violates .cell').innerText")
    for part in ("rm' = m·rm + (1−m)·μ", "got 0.75, expected 0.25", "x = [[1], [0]]",
                 "conformance run impl -k BN-EMA-1"):  # fmt: skip
        assert part in text


def test_the_first_tab_stop_skips_to_the_matrix(opened_page):
    """The first thing that Tab reaches is the link past the header, and it is seen then."""
    opened_page.press("\ue004")
    there = "const e = document.activeElement; return [e.className, e.getBoundingClientRect().x]"
    name, left = opened_page.run(there)
    assert name == "skip"
    assert left >= 0


def test_hostile_text_is_shown_as_text(opened_page):
    """Markup of an implementation makes no element and runs no script."""
    assert opened_page.run("return document.title") == "BatchNorm conformance"
    assert opened_page.run("return document.querySelectorAll('img, b, header script').length") == 0
    assert "</b><script>document.title" in opened_page.run("return document.body.innerText")


def test_dark_mode_and_phone(opened_page):
    """The colours follow the system, and a phone scrolls in no direction but down."""
    background = "return getComputedStyle(document.body).backgroundColor"
    light = opened_page.run(background)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    opened_page.devtools("Emulation.setEmulatedMedia", features=dark)
    assert opened_page.run(background) != light
    phone = {"width": 375, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    opened_page.devtools("Emulation.setDeviceMetricsOverride", **phone)
    try:
        assert opened_page.run("return document.documentElement.scrollWidth") <= 375
        named = "return document.querySelector('td[data-outcome] .who').checkVisibility()"
        assert opened_page.run(named) is True  # where the head of the table is not to be seen
    finally:
        opened_page.devtools("Emulation.clearDeviceMetricsOverride")
        opened_page.devtools("Emulation.setEmulatedMedia", features=[])


def test_printing_leaves_the_controls_out(opened_page):
    """The printed page has the verdict but no filter."""
    opened_page.devtools("Emulation.setEmulatedMedia", media="print")
    try:
        seen = "return [...document.querySelectorAll('form, h1')].map(e => e.checkVisibility())"
        assert opened_page.run(seen) == [True, False]
    finally:
        opened_page.devtools("Emulation.setEmulatedMedia", media="")
