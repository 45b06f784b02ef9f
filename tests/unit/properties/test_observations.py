"""MAY rows: what is observed is what a layer does, and none of it is judged."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import pytest
from flax import nnx

from conformance.adapters.design import Design
from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.characterizing_calls import call_traced
from conformance.adapters.pure import PureLayer
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Level, select
from conformance.requirements.verdict import Outcome, Verdict
from impl import reference
from impl.batchnorm import MyBatchNorm
from impl.fair import FAIR
from impl.variants import VARIANTS

ROOT = Path(__file__).parents[3]
ROWS = [row.id for row in select(REQUIREMENTS, level=Level.MAY)]


def observe(row: str, implementation: Implementation) -> Verdict:
    """Return what is observed of an implementation."""
    return judge_requirement(REQUIREMENTS[row], Subject(implementation), budget())


class Careful(MyBatchNorm):
    """Refuses or defines what the reference leaves open."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        if not 0 <= momentum <= 1 or eps <= 0:
            msg = "momentum is in [0, 1], eps above 0"
            raise ValueError(msg)
        super().__init__(d, momentum, eps, rngs)

    def __call__(self, x, use_running_average):
        if x.ndim != 2 or not len(x):
            msg = "x is (N, D), N > 0"
            raise ValueError(msg)
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise TypeError(x.dtype)
        return super().__call__(jnp.nan_to_num(x), use_running_average >= 0.5)


CAREFUL = Implementation.nnx(Careful)
EXPECTED = {
    "BN-SHAPE-4": (
        "training: an output of shape (0, 3), the running statistics are NaN; "
        "evaluation: an output of shape (0, 3), the running statistics are as before",
        "both modes: raises ValueError: x is (N, D), N > 0",
    ),
    "BN-SHAPE-5": (
        "training: a finite output of shape (3,), the running statistics are updated; "
        "evaluation: a finite output of shape (3,), the running statistics are as before",
        "both modes: raises ValueError: x is (N, D), N > 0",
    ),
    "BN-NUM-5": (
        "training gives NaN in every row of that feature, the running statistics are NaN in part; "
        "two clean batches do not cure it",
        "training gives NaN in no row of that feature, the running statistics are updated; "
        "nothing is left after clean batches",
    ),
    "BN-NUM-6": (
        "in training y is 0 wherever γ·z should be, the running mean is updated, "
        "the running variance infinite in part",
    )
    * 2,
    "BN-TYPE-5": (
        "both modes: y is float32, as for the same numbers in float32",
        "both modes: raises TypeError: int32",
    ),
    "BN-TYPE-6": (
        "both modes: y is float32, as for the same numbers in float32",
        "both modes: raises TypeError: bool",
    ),
    "BN-MASK-4": ("needs mask, which the implementation does not offer",) * 2,
    "BN-FLAG-6": ("NaN and .3: evaluates", "NaN and .3: trains"),
    "BN-FLAG-7": (
        "trains",
        "needs forward, which the implementation does not offer",
    ),
    "BN-EMA-9": (
        "1.5 and −.5: taken as it is",
        "1.5 and −.5: the constructor raises ValueError: momentum is in [0, 1], eps above 0",
    ),
    "BN-EPS-2": (
        "training gives NaN in that feature, the running statistics are updated",
        "the constructor raises ValueError: momentum is in [0, 1], eps above 0",
    ),
    "BN-GRAD-14": ("jax.jvp of a training call: right",) * 2,
    "BN-GRAD-15": ("both orders: right",) * 2,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_two_layers_are_distinguished(name):
    """The reference leaves things open that a more careful layer refuses."""
    answers = tuple(observe(name, made).detail for made in (reference(), CAREFUL))
    assert answers == EXPECTED[name]


def test_every_row_is_observed_on_the_reference_but_masks():
    """The list is complete, and each row has an answer that is neither good nor bad."""
    assert set(EXPECTED) | {"BN-TYPE-7", "BN-FLAG-8"} == set(ROWS)
    found = [observe(row, reference()) for row in ROWS]
    open_masks = {each.requirement for each in found if each.outcome is Outcome.UNSUPPORTED}
    assert open_masks == {"BN-MASK-4"}
    assert {each.outcome for each in found} == {Outcome.OBSERVED, Outcome.UNSUPPORTED}
    assert not any(each.outcome.judged or each.outcome.bad for each in found)


def test_a_traced_flag_is_followed_where_it_can_be():
    """A layer that selects with jnp.where takes a traced flag; the reference does not."""

    class Selecting(MyBatchNorm):
        def __call__(self, x, use_running_average):
            before = self.running_mean[...], self.running_var[...]
            trained = super().__call__(x, False)
            after = self.running_mean[...], self.running_var[...]
            self.running_mean[...], self.running_var[...] = before
            evaluated = super().__call__(x, True)
            pairs = zip(before, after, strict=True)
            chosen = [jnp.where(use_running_average, old, new) for old, new in pairs]
            self.running_mean[...], self.running_var[...] = chosen
            return jnp.where(use_running_average, evaluated, trained)

    answer = observe("BN-FLAG-8", Implementation.nnx(Selecting)).detail
    assert answer == "yes: False trains, True evaluates"
    assert "TracerBoolConversionError" in observe("BN-FLAG-8", reference()).detail


def test_a_function_that_jax_cannot_refer_to_is_called_under_jit():
    """JAX ends the process when it compiles an object with slots, as Linen layers have."""

    class Slotted:
        __slots__ = ()

        def __call__(self, arrays, x, use_running_average):
            return jnp.where(use_running_average, x, 2 * x), arrays

    y = call_traced(PureLayer(Slotted(), {}), jnp.ones((1, 2)), False)
    assert y.tolist() == [[2, 2]]


def test_masks_that_are_not_boolean():
    """The extended reference takes whatever is not 0 as a row that counts."""
    answer = observe("BN-MASK-4", VARIANTS["wide"]).detail
    assert "what is not 0 counts" in answer


def test_a_wrong_derivative_is_seen():
    """A layer whose own derivative rule has no forward mode says so."""
    backward = next(made for name, made in VARIANTS.items() if "backward" in name)
    assert "raises TypeError" in observe("BN-GRAD-14", backward).detail


def test_a_function_has_no_layer_to_observe():
    """Most rows are about layers."""
    found = observe("BN-SHAPE-4", Implementation(name="f", forward=print))
    assert found.outcome is Outcome.UNSUPPORTED
    assert found.detail == "needs layer, which the implementation does not offer"


def test_an_argument_that_a_layer_fixes_is_not_tried():
    """What momentum outside [0, 1] does cannot be asked of a layer that has its own."""
    fixed = replace(reference(), design=Design(fixed=(("momentum", 0.9),)))
    assert observe("BN-EMA-9", fixed).detail == "momentum is fixed"


@pytest.mark.parametrize(
    ("result", "outcome", "detail"),
    [
        ("text", Outcome.OBSERVED, "y: got str, expected a numeric array"),
        (jnp.ones(7), Outcome.ERRORED, "the result cannot be described: "),
    ],
)
def test_an_odd_result_ends_no_run(result: object, outcome: Outcome, detail: str):
    """What is not an array is an answer; what fits nothing is said to be beyond description."""

    class Odd(MyBatchNorm):
        def __call__(self, x, use_running_average):
            super().__call__(x, use_running_average)
            return result

    found = observe("BN-EPS-2", Implementation.nnx(Odd))
    assert (found.outcome, found.detail[: len(detail)]) == (outcome, detail)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("flag-cut-to-integer", "raises ValueError: cannot convert float NaN to integer"),
        ("flag-equal-to-one", "trains"),
        ("nan-flag-refused", "raises ValueError: the flag is NaN"),
        ("nan-flag-evaluates", "evaluates"),
    ],
)
def test_functions_differ_in_a_flag_that_is_nan(name: str, answer: str):
    """A function trains, evaluates or refuses; none of them is judged by it."""
    assert observe("BN-FLAG-7", FAIR[name].implementation).detail == answer


def test_the_page_has_every_row_and_what_the_reference_does():
    """docs/behaviours.md lists this table, and agrees with it about the reference."""
    text = (ROOT / "docs" / "behaviours.md").read_text("utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ROWS
    for name, (answer, _) in EXPECTED.items():
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        (row,) = [line for line in section.splitlines() if re.match(r"\| impl[ ,]", line)]
        assert row.endswith(f" {answer} |")
