"""Behaviours: what is observed is what a layer does, and none of it is judged."""

from __future__ import annotations

import re
from pathlib import Path

import jax.numpy as jnp
import pytest
from flax import nnx

from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.characterizing_calls import call_traced
from conformance.adapters.pure import PureLayer
from conformance.diagnosis.behaviours import BEHAVIOURS
from conformance.diagnosis.behaviours.observer import observe
from conformance.properties.support.subject import Subject
from impl import reference, wide
from impl.batchnorm import MyBatchNorm
from impl.fair import FAIR
from impl.variants import VARIANTS

ROOT = Path(__file__).parents[3]


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
    "no-rows": (
        "training: an output of shape (0, 3), the running statistics are NaN; "
        "evaluation: an output of shape (0, 3), the running statistics are as before",
        "both modes: raises ValueError: x is (N, D), N > 0",
    ),
    "one-axis": (
        "training: a finite output of shape (3,), the running statistics are updated; "
        "evaluation: a finite output of shape (3,), the running statistics are as before",
        "both modes: raises ValueError: x is (N, D), N > 0",
    ),
    "nan-batch": (
        "training gives NaN in every row of that feature, the running statistics are NaN in part; "
        "two clean batches do not cure it",
        "training gives NaN in no row of that feature, the running statistics are updated; "
        "nothing is left after clean batches",
    ),
    "overflow": (
        "in training y is 0 wherever γ·z should be, the running mean is updated, "
        "the running variance infinite in part",
    )
    * 2,
    "integers": (
        "both modes: y is float32, as for the same numbers in float32",
        "both modes: raises TypeError: int32",
    ),
    "booleans": (
        "both modes: y is float32, as for the same numbers in float32",
        "both modes: raises TypeError: bool",
    ),
    "masks": ("not observed: it declares no mask",) * 2,
    "nan-flag": ("NaN and .3: evaluates", "NaN and .3: trains"),
    "nan-flag-of-function": (
        "trains",
        "not observed: there is a layer, and no forward function",
    ),
    "momentum-outside": (
        "1.5 and −.5: taken as it is",
        "1.5 and −.5: the constructor raises ValueError: momentum is in [0, 1], eps above 0",
    ),
    "eps-zero": (
        "training gives NaN in that feature, the running statistics are updated",
        "the constructor raises ValueError: momentum is in [0, 1], eps above 0",
    ),
    "forward-mode": ("jax.jvp of a training call: right",) * 2,
    "second-derivatives": ("both orders: right",) * 2,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_two_layers_are_distinguished(name):
    """The reference leaves things open that a more careful layer refuses."""
    answers = tuple(str(observe(name, Subject(made))) for made in (reference(), CAREFUL))
    assert answers == EXPECTED[name]


def test_every_behaviour_is_observed_on_the_reference_but_masks():
    """The list is complete, and each question has an answer."""
    assert set(EXPECTED) | {"complex-numbers", "traced-flag"} == set(BEHAVIOURS)
    found = [observe(name, Subject(reference())) for name in BEHAVIOURS]
    assert {each.behaviour for each in found if not each.observed} == {"masks"}
    assert all(each.question.endswith("?") for each in BEHAVIOURS.values())


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

    answer = observe("traced-flag", Subject(Implementation.nnx(Selecting))).answer
    assert answer == "yes: False trains, True evaluates"
    assert "TracerBoolConversionError" in observe("traced-flag", Subject(reference())).answer


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
    answer = observe("masks", Subject(wide())).answer
    assert "what is not 0 counts" in answer


def test_a_wrong_derivative_is_seen():
    """A layer whose own derivative rule has no forward mode says so."""
    backward = next(made for name, made in VARIANTS.items() if "backward" in name)
    assert "raises TypeError" in observe("forward-mode", Subject(backward)).answer


def test_a_function_has_no_layer_to_observe():
    """Behaviours are those of layers."""
    function = Implementation(name="f", forward=print)
    observation = observe("no-rows", Subject(function))
    assert str(observation) == "not observed: there is a function, and no layer"


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
    subject = Subject(FAIR[name].implementation)
    assert observe("nan-flag-of-function", subject).answer == answer


def test_the_page_has_every_behaviour_and_what_the_reference_does():
    """docs/behaviours.md lists this table, and agrees with it about the reference."""
    text = (ROOT / "docs" / "behaviours.md").read_text("utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == list(BEHAVIOURS)
    for name, (answer, _) in EXPECTED.items():
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        (row,) = [line for line in section.splitlines() if re.match(r"\| impl[ ,]", line)]
        assert row.endswith(f"| {answer} |")
