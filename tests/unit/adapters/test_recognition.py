"""Objects that are not implementations: the message for each."""

from __future__ import annotations

import re

import numpy as np
import pytest
from flax import nnx
from support.written_modules import OBJECT, SEED_SHAPED, Write, resolve_error

from conformance.adapters.nnx import NnxLayer
from conformance.adapters.nnx_transforms import path_of
from conformance.adapters.protocols import Config
from conformance.adapters.recognition import GUIDE
from conformance.adapters.resolve import resolve
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.numerics.state import State
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome
from impl.batchnorm import MyBatchNorm

STATE = State(*(np.array([k, k + 0.5], np.float32) for k in (2, 3, 4, 5)))


def test_other_classes_are_refused(write: Write):
    """For a class that is not an ``nnx.Module`` the message shows how it can be judged."""
    write("classes.py", "class Norm:\n    pass\n")
    error = resolve_error("classes:Norm")
    assert error.startswith("classes:Norm is the class Norm, neither an nnx.Module nor a layer of ")
    assert "Name a function f(x, gamma, beta, mean, var, training, momentum, eps)" in error
    assert error.endswith(f"with `build`, a function from Config to Layer. {GUIDE}")


def test_other_attribute_names_are_recognized(write: Write):
    """Arrays under other names are found, and written and read under ours."""
    names = {"gamma": "weight", "beta": "bias", "running_mean": "mu", "running_var": "var_"}
    text = SEED_SHAPED
    for ours, own in names.items():
        text = text.replace(f"self.{ours}", f"self.{own}")
    write("renamed.py", text)
    found = resolve("renamed:Norm")
    assert found.recognition is not None
    assert found.recognition.line == (
        'Implementation.nnx(Norm, gamma="weight", beta="bias", running_mean="mu", '
        'running_var="var_")'
    )
    layer = Subject(found).build(Config(features=2), STATE)
    for array, value in STATE.arrays().items():
        assert np.array_equal(layer.state.arrays()[array], value)


WRAPPED = """
from flax import nnx

class Wrapped(nnx.Module):
    def __init__(self, d, momentum, eps, rngs):
        self.bn = nnx.BatchNorm(d, momentum=momentum, epsilon=eps, rngs=rngs)

    def __call__(self, x, use_running_average):
        return self.bn(x, use_running_average=use_running_average)

class Shown(Wrapped):
    gamma = property(lambda self: self.bn.scale)
    beta = property(lambda self: self.bn.bias)
    running_mean = property(lambda self: self.bn.mean)
    running_var = property(lambda self: self.bn.var)

class Bare(nnx.Module):
    def __init__(self, d, momentum, eps, rngs):
        self.bn = nnx.BatchNorm(d, use_scale=False, rngs=rngs)

class Two(Wrapped):
    def __init__(self, d, momentum, eps, rngs):
        super().__init__(d, momentum, eps, rngs)
        self.other = nnx.BatchNorm(d, rngs=rngs)
"""


@pytest.mark.parametrize("name", ["Wrapped", "Shown"])
def test_arrays_of_a_module_inside_are_found(write: Write, name: str):
    """A class around one layer, or with properties that hand out its arrays, is judged as it is."""
    write(f"around_{name}.py", WRAPPED)
    subject = Subject(resolve(f"around_{name}:{name}"))
    layer = subject.build(Config(features=2), STATE)
    live = subject.imported.build(Config(features=2))
    live.write(STATE.arrays())

    assert subject.implementation.kind.endswith(", arrays in bn") == (name == "Wrapped")
    for array, value in STATE.arrays().items():
        assert np.array_equal(layer.state.arrays()[array], value)
        own = {"gamma": "scale", "beta": "bias", "running_mean": "mean", "running_var": "var"}
        assert np.array_equal(getattr(live.module.bn, own[array])[...], value)
        assert path_of(live, array) == ("bn", own[array])
    assert layer.attributes.value["bn.momentum"] == "0.9"
    assert np.array_equal(layer.restore().state.running_mean, STATE.running_mean)


def test_attributes_of_modules_inside_are_seen_once():
    """The adapter and a script see the same ones, also where a module refers back to its owner."""

    class Circular(MyBatchNorm):
        def __init__(self, *args, **rest):
            super().__init__(*args, **rest)
            self.inner = MyBatchNorm(d=1, momentum=0.5, eps=0.1, rngs=nnx.Rngs(0))
            self.inner.owner = self

    module = Circular(d=2, momentum=0.9, eps=1e-5, rngs=nnx.Rngs(0))
    seen = {"momentum": "0.9", "eps": "1e-05", "inner.momentum": "0.5", "inner.eps": "0.1"}
    assert NnxLayer(module, {}).attributes_now() == seen


def test_of_two_modules_inside_the_used_one_is_taken(write: Write):
    """An unused layer inside is not a second reading."""
    write("two_inside.py", WRAPPED)
    recognition = resolve("two_inside:Two").recognition
    assert recognition is not None
    assert 'gamma="bn.scale", beta="bn.bias"' in recognition.line


def test_modules_without_a_call_are_refused(write: Write):
    """The message says what was tried, and how to say it."""
    write("without_call.py", WRAPPED)
    error = resolve_error("without_call:Bare")
    assert error.startswith("without_call:Bare could be built, but no call of it works.\n")
    assert "Implementation.nnx(Bare, flag=…" in error


def test_names_with_dots_lead_into_modules_inside(write: Write):
    """What is not found by itself can be named."""
    write(
        "dotted.py",
        WRAPPED
        + """
from conformance import Implementation

own = {"gamma": "bn.scale", "beta": "bn.bias", "running_mean": "bn.mean", "running_var": "bn.var"}
two = Implementation.nnx(Two, **own)
""",
    )
    subject = Subject(resolve("dotted:two"))
    verdicts = [
        judge_requirement(REQUIREMENTS[name], subject, budget(max_examples=5))
        for name in ("BN-STATE-1", "BN-STATE-4", "BN-EVAL-1", "BN-EVAL-2")
    ]
    assert {verdict.outcome for verdict in verdicts} == {Outcome.CONFORMS}, verdicts


def test_further_arguments_are_given_by_name(write: Write):
    """An argument that must be given, and whose name says what it is, gets a value."""
    text = SEED_SHAPED.replace("(self, d, momentum, eps, rngs)", "(self, d, momentum, eps, axis)")
    write("other.py", text)
    recognition = resolve("other:Norm").recognition
    assert recognition is not None
    assert recognition.line == 'Implementation.nnx(Norm, rngs=False, arguments={"axis": -1})'


def test_unknown_arguments_are_named(write: Write):
    """One whose name says nothing, and that has no effect on a call, is for the author to give."""
    text = SEED_SHAPED.replace("(self, d, momentum, eps, rngs)", "(self, d, momentum, eps, plan)")
    write("unknown.py", text)
    error = resolve_error("unknown:Norm")
    assert error.startswith("unknown:Norm cannot be built: its constructor demands plan, ")
    assert 'Implementation.nnx(Norm, arguments={"plan": …})' in error


def test_constructors_that_raise_are_refused(write: Write):
    """An exception while building is named, with how it was built."""
    text = SEED_SHAPED.replace("        self.momentum,", "        raise KeyError('x')\n        #")
    write("raising.py", text)
    error = resolve_error("raising:Norm")
    assert error.startswith("raising:Norm, built as cls(d=3, momentum=0.9, eps=1e-05, rngs=…), ")
    assert re.search(r"KeyError: 'x' \(raising\.py, line \d+\)$", error)


def test_other_functions_are_refused(write: Write):
    """A function that cannot take seed, x and flag is shown with its signature."""
    write("signatures.py", "def f(x):\n    return x\n")
    assert resolve_error("signatures:f") == (
        "signatures:f(x) is not a forward function: it must be callable as "
        f"f(seed, x, use_running_average). {GUIDE}"
    )


def test_functions_that_fail_as_forward_functions_are_refused(write: Write):
    """Three arguments do not make a forward function: under unknown names, it must work as one."""
    write("three.py", "def f(x, gamma, beta):\n    return gamma * x.mean(0) + beta\n")
    error = resolve_error("three:f")
    assert error.startswith("three:f(x, gamma, beta) is neither a forward function f(seed, x, ")
    assert "it raised AttributeError" in error


def test_makers_of_other_things_are_refused(write: Write):
    """A function without arguments that returns something else is refused; its result is named."""
    write("makers_of.py", OBJECT)
    assert resolve_error("makers_of:make_nothing").startswith(
        "makers_of:make_nothing() returned an int: expected an nnx.Module or an Implementation "
    )


def test_makers_that_raise_are_refused(write: Write):
    """A function without arguments that raises has failed, and was imported all the same."""
    path = write("makers_in_trouble.py", OBJECT)
    line = path.read_text().splitlines().index('    raise OSError("no weights")') + 1
    error = resolve_error("makers_in_trouble:make_trouble")
    assert error == (
        "makers_in_trouble:make_trouble() failed: OSError: no weights "
        f"(makers_in_trouble.py, line {line})"
    )


def test_other_objects_are_refused(write: Write):
    """Anything else is refused, with its type and what was expected."""
    write("things.py", "thing = [1]\nother = 1.5\n")
    for name, kind in (("thing", "a list"), ("other", "a float")):
        assert resolve_error(f"things:{name}") == (
            f"things:{name} is {kind}: expected an Implementation object, an nnx.Module class or "
            f"a function f(seed, x, use_running_average). {GUIDE}"
        )
