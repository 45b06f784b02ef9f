"""How much was judged, where the way a layer is driven leaves requirements out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.example_reports import IDS, complete_report, report, verdict

from conformance.adapters.design import Design
from conformance.adapters.implementation import Implementation
from conformance.engine.judge import unsupported
from conformance.properties.support.subject import Subject
from conformance.report.badge import badge_texts
from conformance.report.markdown import to_markdown
from conformance.report.model import Report
from conformance.report.page import to_html
from conformance.report.scope import scope_of
from conformance.report.screen import answer_lines
from conformance.report.terminal import conclusion_lines
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Verdict
from impl import reference
from impl.variants import VARIANTS

DRIVEN = Implementation(name="impl", build=lambda _: None)
PURE = replace(DRIVEN, pure=True)
FIXED = Design(fixed=(("eps", 1e-5), ("momentum", 0.9)), absent=frozenset({"beta"}))


def verdicts_on(implementation: Implementation, *rows: str) -> list[Verdict]:
    """Return a verdict on each requirement, all of those that apply being met."""
    subject = Subject(replace(implementation, name="impl"))
    return [
        unsupported(REQUIREMENTS[row], subject) or verdict(row, kind=implementation.kind)
        for row in rows or IDS
    ]


@pytest.mark.parametrize(
    ("implementation", "rows", "sentence"),
    [
        (
            DRIVEN,
            (),
            "52 of 90 judged: no gradients, transforms or serialisation, because it is driven by "
            "`build`",
        ),
        (PURE, (), "74 of 94 judged: no serialisation, because it is not an nnx.Module"),
        (
            replace(PURE, differentiable=False),
            ("BN-JIT-1", "BN-GRAD-1"),
            "1 of 2 judged: no gradients, because JAX cannot differentiate it, as declared",
        ),
        (
            replace(VARIANTS["wide"], differentiable=False),
            ("BN-EMA-1", "BN-GRAD-1"),
            "1 of 2 judged: no gradients, because JAX cannot differentiate it, as declared",
        ),
        (
            Implementation(name="impl", forward=lambda *_: None),
            (),
            "12 of 102 judged: no state, gradients, transforms or serialisation, because it is a "
            "forward function",
        ),
        (
            replace(VARIANTS["wide"], design=FIXED),
            (),
            "97 of 105 judged: momentum and eps are fixed; there is no beta",
        ),
        (
            replace(PURE, design=FIXED),
            ("BN-SER-1", "BN-EMA-4"),
            "0 of 2 judged: no serialisation, because it is not an nnx.Module; momentum is fixed",
        ),
    ],
)
def test_what_is_left_out_is_said_with_its_reason(implementation, rows, sentence):
    """A sentence has the numbers, what is missing, and why."""
    assert scope_of(verdicts_on(implementation, *rows)).sentence() == sentence


@pytest.mark.parametrize("implementation", [reference(), VARIANTS["wide"]])
def test_nothing_is_left_out_of_a_module(implementation):
    """A forward function, and the extended domain, are offered besides."""
    assert scope_of(verdicts_on(implementation)) is None


def test_each_rendering_has_the_sentence():
    """The conclusion, the badge, Markdown, HTML and JSON say how much was judged."""
    made = complete(DRIVEN)
    sentence = scope_of(made.verdicts).sentence()

    assert conclusion_lines(made)[:2] == [
        "impl: conforms to 52 of 52 requirements.",
        f"impl: {sentence}.",
    ]
    head, *rest = answer_lines(made, "impl")
    assert head == "✓ impl: conforms to 52 of 52 requirements."
    assert " ".join(line.strip() for line in rest).startswith(f"{sentence}.")
    assert all(len(line) <= 80 for line in rest)
    _, message, colour = badge_texts(made)
    assert message == f"MUST + SHOULD ({sentence}) · 0 waivers · 0 deviations"
    assert colour == "#8a5a00"
    assert f"⚠ <code>impl</code>: {sentence}.\n" in to_markdown(made)
    assert f"<bdi>impl</bdi>: {sentence}.</p>" in to_html(made).replace("&#39;", "'")
    assert made.to_dict()["scopes"] == {
        "impl": {"judged": 52, "of": 90, "reasons": [sentence.partition(": ")[2]]}
    }


def test_a_design_leaves_the_badge_green():
    """What a layer fixes or lacks on purpose is said, and is not a detour."""
    message, colour = badge_texts(complete(replace(VARIANTS["wide"], design=FIXED)))[1:]

    assert "(97 of 105 judged: momentum and eps are fixed; there is no beta)" in message
    assert colour == "#2b7a3d"


def test_several_are_counted_in_the_badge():
    """A badge has no room for a sentence on each."""
    one = verdicts_on(DRIVEN)
    other = [replace(each, implementation="other") for each in verdicts_on(PURE)]
    message = badge_texts(report(*one, *other))[1]

    assert "(2 implementations judged in part)" in message


def complete(implementation: Implementation) -> Report:
    return complete_report(*verdicts_on(implementation))
