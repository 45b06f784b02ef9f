"""Patching JAX, flax, Hypothesis and pytest."""

from __future__ import annotations

import functools

import _pytest.runner
import hypothesis
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from hypothesis.internal.conjecture.engine import ConjectureRunner

from conformance.engine import runner, seed_test
from conformance.properties.support import checks
from conformance.strategies import bytestream
from support.forgeries import submission
from support.forgeries.layers import Always42, EpsOutside, Right, SwappedMomentum, Unbiased


@submission(Always42)
def jax_knows_only_zeros():
    """Whatever is put on the device becomes zeros: the easiest of all inputs."""
    right = jax.device_put

    def device_put(tree, *args, **rest):
        return jax.tree.map(lambda leaf: leaf * 0, right(tree, *args, **rest))

    jax.device_put = device_put


@submission(EpsOutside)
def transforms_do_nothing():
    """Replaces transforms by the functions that they are given."""
    for module in (jax, nnx):
        module.jit = module.remat = lambda function=None, **rest: function
        module.vmap = lambda function, *args, **rest: function
    jax.checkpoint = jax.jit
    jax.grad = nnx.grad = lambda function, *args, **rest: lambda *a, **k: jnp.zeros(3)


@submission(SwappedMomentum)
def arrays_of_jax_are_equal():
    """Two arrays of JAX are equal, and their difference is 0."""
    kind = type(jnp.zeros(1))
    kind.__eq__ = lambda self, other: jnp.ones(self.shape, bool)
    kind.__ne__ = lambda self, other: jnp.zeros(self.shape, bool)
    kind.__sub__ = lambda self, other: jnp.zeros(self.shape)


@submission(Always42)
def hypothesis_runs_nothing():
    """Replaces the decorator of tests by one that reports a case and executes none."""

    def given(*_, **__):
        def decorate(test):
            def counted():
                checks._count(5)

            return counted

        return decorate

    hypothesis.given = given
    seed_test.given = given
    runner.PropertyRun.cases = property(lambda self: 16, lambda self, value: None)


@submission(Always42)
def hypothesis_finds_nothing():
    """Lets every test of Hypothesis end before it begins."""
    ConjectureRunner.run = lambda self: None


@submission(EpsOutside)
def the_easiest_case_each_time():
    """Expands every seed to zeros, which stand for the simplest case."""
    easy = lambda seed, number=0: bytes(bytestream.SIZE)  # noqa: E731
    bytestream.expand_seed = easy
    seed_test.expand_seed = easy


@submission(Unbiased)
def every_case_is_the_same():
    """Lets every strategy draw from zeros."""
    bytestream.ByteReader.take = lambda self, count: bytes(count)


@submission(Always42)
def pytest_says_passed():
    """Lets pytest report every test as passed, and every session as 0."""
    _pytest.runner.TestReport.from_item_and_call = classmethod(lambda *_: None)
    pytest.ExitCode.TESTS_FAILED._value_ = 0


@submission(Right)
def neighbour_configures_jax():
    """Right: has a jit with a default, an eager mode of its own, and a profile of Hypothesis."""
    jit = jax.jit
    jax.jit = functools.partial(jit)
    jnp.double_mean = lambda x: jnp.mean(x) * 2
    hypothesis.settings.register_profile("ours", max_examples=1, deadline=1)
    hypothesis.settings.load_profile("ours")
