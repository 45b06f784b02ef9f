"""How modules are called: flags in every form, and layouts that keep every row."""

from __future__ import annotations

import json
from dataclasses import asdict

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.mode_recorder import ModeRecorder

from conformance.adapters.calling import Calling, Layout, calling_of, factorize
from conformance.adapters.errors import AdapterError


@given(rows=st.integers(0, 2000), axes=st.integers(1, 4))
def test_the_sizes_of_axes_are_factors_of_the_rows(rows: int, axes: int):
    """Nothing is lost or added."""
    assert np.prod(factorize(rows, axes)) == rows
    assert len(factorize(rows, axes)) == axes


@pytest.mark.parametrize("axes", [2, 3, 4])
def test_every_axis_is_larger_than_one_somewhere(axes: int):
    """A sum that leaves out an axis shows in some case of the palette."""
    sizes = [factorize(rows, axes) for rows in (2, 3, 4, 5, 7, 8, 16, 17, 33, 40)]
    assert all(sum(size > 1 for size in of_axis) >= 3 for of_axis in zip(*sizes, strict=True))


@given(
    rows=st.integers(1, 60),
    features=st.integers(1, 6),
    ndim=st.integers(2, 5),
    first=st.booleans(),
)
def test_what_is_spread_is_gathered_again(rows: int, features: int, ndim: int, first: bool):
    """Rows come back as they were, and the features are where the layout has them."""
    layout = Layout(ndim=ndim, first=first)
    x = np.arange(rows * features, dtype=np.float32).reshape(rows, features)
    native = layout.spread(x)
    assert native.ndim == ndim
    assert native.shape[1 if first else -1] == features
    assert np.array_equal(layout.gather(native, x, native), x)
    on_axis = np.moveaxis(native, 1, -1) if first and ndim > 2 else native
    assert np.array_equal(on_axis.reshape(-1, features), x)


@pytest.mark.parametrize(
    ("flag", "means"),
    [
        (".training", "training"),
        ("learn()/freeze()", "evaluation"),
        ("choose(evaluate)", "evaluation"),
    ],
)
def test_a_mode_is_set_for_one_call(flag: str, means: str):
    """A call puts the module into its mode, and afterwards back into that of training."""
    calling, module = calling_of(flag, means, "last", 2), ModeRecorder()
    calling.begin(module)
    assert module.training
    x = np.ones((2, 1))
    calling.apply(module, x, True)
    assert module.training
    calling.apply(module, x, False)
    assert module.modes == [False, True]


@pytest.mark.parametrize("flag", ["mode", ".phase", "enter(phase)"])
def test_a_mode_may_be_a_word(flag: str):
    """The module is called with the word for the mode, whatever type the flag has."""
    calling, module = calling_of(flag, "evaluation", "last", 2, ("fit", "predict")), ModeRecorder()
    for evaluates in (True, np.bool_(False)):
        calling.apply(module, np.ones((2, 1)), evaluates)
    assert module.modes == ["predict", "fit"]
    assert not calling.takes_flag
    assert Calling.from_json(json.loads(json.dumps(asdict(calling)))) == calling


@pytest.mark.parametrize(
    ("flag", "means", "values", "words"),
    [
        ("mode", "evaluation", ("train", "train"), "two different words"),
        ("mode", "evaluation", (True, False), "two different words"),
        ("mode", "evaluation", "train", "two different words"),
        ("mode", "training", ("train", "eval"), "leave flag_means out"),
        (None, "evaluation", ("train", "eval"), "give flag="),
    ],
)
def test_wrong_words_are_named(flag, means, values, words):
    """The message has the value and the rule."""
    with pytest.raises(AdapterError, match=words):
        calling_of(flag, means, "last", 2, values)


@pytest.mark.parametrize(
    "flag", [False, 0, 0.0, np.bool_(False), np.float32(0), jnp.asarray(0), jnp.asarray(False)]
)
def test_the_other_of_two_flags_has_the_same_type(flag: object):
    """For a flag that means training, 0 becomes 1 in the type in which it is given."""
    module = ModeRecorder()
    calling_of("train", "training", "last", 2).apply(module, np.ones((2, 1)), flag)
    (given_flag,) = (each["train"] for each in module.modes)
    assert given_flag == 1
    assert getattr(given_flag, "dtype", type(given_flag)) == getattr(flag, "dtype", type(flag))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("eval mode", "evaluation", "last", 2), "eval mode"),
        (("train", "fitting", "last", 2), "flag_means='fitting'"),
        (("train", "training", "NCHW", 4), "layout='NCHW'"),
        (("train", "training", "last", 6), "ndim=6"),
        (("train()/eval()", "training", "last", 2), "leave flag_means out"),
    ],
)
def test_a_wrong_value_is_named(arguments: tuple[str, str, str, int], words: str):
    """The message has the value and the choices."""
    with pytest.raises(AdapterError, match=words.replace("(", r"\(")):
        calling_of(*arguments)


def test_equal_callings_are_one_key():
    """Programs are cached by value."""
    assert hash(calling_of("train", "training", "first", 4)) == hash(
        Calling(flag="train", inverted=True, layout=Layout(ndim=4, first=True))
    )
