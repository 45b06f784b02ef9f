"""Objects that are no implementation: what each failure says."""

from __future__ import annotations

import re

from written_modules import OBJECT, SEED_SHAPED, Write, refusal

from conformance.recognition import GUIDE


def test_other_classes_are_refused(write: Write):
    """A class that is no ``nnx.Module`` is answered with how to wrap it."""
    write("classes.py", "class Norm:\n    pass\n")
    assert refusal("classes:Norm") == (
        "classes:Norm is the class Norm, which is no nnx.Module. Wrap it in an Implementation "
        f"object with `build`, a function from Config to Layer; {GUIDE}"
    )


def test_other_attribute_names_are_refused(write: Write):
    """A module with names of its own is answered with the call that gives them."""
    names = {"gamma": "weight", "beta": "bias", "running_mean": "mu", "running_var": "var_"}
    text = SEED_SHAPED
    for ours, own in names.items():
        text = text.replace(f"self.{ours}", f"self.{own}")
    write("renamed.py", text)
    assert (
        refusal("renamed:Norm")
        == f"""\
renamed:Norm is an nnx.Module that fits neither known shape.
  Built as cls(d=3, momentum=0.9, eps=1e-05, rngs=…): ok
  Expected attributes gamma, beta, running_mean, running_var; found weight, bias, mu, var_.
  Name them: Implementation.nnx(Norm, gamma=…, beta=…, running_mean=…, running_var=…), and run \
that object instead.
  As flax-shaped nnx.Module: its constructor does not take \
cls(num_features=3, momentum=0.9, epsilon=1e-05, rngs=…).
  {GUIDE}"""
    )


def test_other_constructors_are_refused(write: Write):
    """A module that takes other arguments is answered with both known constructors."""
    text = SEED_SHAPED.replace("(self, d, momentum, eps, rngs)", "(self, d, momentum, eps, axis)")
    write("other.py", text)
    assert (
        refusal("other:Norm")
        == f"""\
other:Norm is an nnx.Module that fits neither known shape.
  As seed-shaped nnx.Module: its constructor does not take \
cls(d=3, momentum=0.9, eps=1e-05, rngs=…).
  As flax-shaped nnx.Module: its constructor does not take \
cls(num_features=3, momentum=0.9, epsilon=1e-05, rngs=…).
  {GUIDE}"""
    )


def test_constructors_that_raise_are_refused(write: Write):
    """An exception while building is named, with how it was built."""
    text = SEED_SHAPED.replace("        self.momentum,", "        raise KeyError('x')\n        #")
    write("raising.py", text)
    said = refusal("raising:Norm")
    assert said.startswith("raising:Norm, built as cls(d=3, momentum=0.9, eps=1e-05, rngs=…), ")
    assert re.search(r"KeyError: 'x' \(raising\.py, line \d+\)$", said)


def test_other_functions_are_refused(write: Write):
    """A function that cannot take seed, x and flag is shown with its signature."""
    write("signatures.py", "def f(x):\n    return x\n")
    assert refusal("signatures:f") == (
        "signatures:f(x) is no forward function: it must be callable as "
        f"f(seed, x, use_running_average). {GUIDE}"
    )


def test_makers_of_other_things_are_refused(write: Write):
    """A function without arguments that returns something else is refused by what it gave."""
    write("makers_of.py", OBJECT)
    assert refusal("makers_of:make_nothing") == (
        "makers_of:make_nothing() returned an int: expected an Implementation object."
    )


def test_makers_that_raise_are_refused(write: Write):
    """A function without arguments that raises has failed, and was imported all the same."""
    path = write("makers_in_trouble.py", OBJECT)
    line = path.read_text().splitlines().index('    raise OSError("no weights")') + 1
    said = refusal("makers_in_trouble:make_trouble")
    assert said == (
        "makers_in_trouble:make_trouble() failed: OSError: no weights "
        f"(makers_in_trouble.py, line {line})"
    )


def test_other_objects_are_refused(write: Write):
    """Anything else is refused by its type, with what was expected."""
    write("things.py", "thing = [1]\nother = 1.5\n")
    for name, kind in (("thing", "a list"), ("other", "a float")):
        assert refusal(f"things:{name}") == (
            f"things:{name} is {kind}: expected an Implementation object, an nnx.Module class or "
            f"a function f(seed, x, use_running_average). {GUIDE}"
        )
