"""Users' own classes of Equinox, Haiku, Keras and PyTorch, where these are installed."""

from __future__ import annotations

import os
import textwrap
from importlib import import_module

import pytest
from support.class_judging import recognized, violated

from conformance import Implementation
from conformance.requirements import Capability
from conformance.requirements.deviations import Deviation

os.environ.setdefault("KERAS_BACKEND", "jax")

SOURCES = {
    "equinox": """
        import equinox as eqx
        import jax.numpy as jnp
        from jax import lax

        class Norm(eqx.Module):
            weight: jnp.ndarray
            bias: jnp.ndarray
            averages: eqx.nn.StateIndex
            momentum: float
            eps: float
            inference: bool

            def __init__(self, num_features, momentum=0.9, eps=1e-5, inference=False):
                self.weight, self.bias = jnp.ones(num_features), jnp.zeros(num_features)
                start = jnp.zeros(num_features), jnp.ones(num_features)
                self.averages = eqx.nn.StateIndex(start)
                self.momentum, self.eps, self.inference = momentum, eps, inference

            def __call__(self, x, state):
                old = state.get(self.averages)
                mean, var = old
                if not self.inference:
                    mean, var = x.mean(0), jnp.square(x - x.mean(0)).mean(0)
                    m = self.momentum
                    new = tuple(m * a + (1 - m) * b for a, b in zip(old, (mean, var)))
                    state = state.set(self.averages, new)
                return self.weight * (x - mean) * lax.rsqrt(ROOT) + self.bias, state

        class ByExample(eqx.Module):
            norm: Norm

            def __init__(self, input_size, axis_name, momentum=0.9, eps=1e-5):
                self.norm = Norm(input_size, momentum, eps)

            def __call__(self, x, state, *, inference):
                if not inference:
                    x = lax.all_gather(x, "batch")
                y, state = eqx.nn.inference_mode(self.norm, inference)(x, state)
                return (y if inference else y[lax.axis_index("batch")]), state
        """,
    "haiku": """
        import haiku as hk
        import jax.numpy as jnp

        class Norm(hk.Module):
            def __init__(self, decay_rate=0.9, eps=1e-5, name=None):
                super().__init__(name=name)
                self.decay_rate, self.eps = decay_rate, eps

            def __call__(self, x, is_training):
                shape = x.shape[-1:]
                gamma = hk.get_parameter("gamma", shape, init=jnp.ones)
                beta = hk.get_parameter("beta", shape, init=jnp.zeros)
                mean = hk.get_state("mean", shape, init=jnp.zeros)
                var = hk.get_state("var", shape, init=jnp.ones)
                if is_training:
                    old, m = (mean, var), self.decay_rate
                    mean = x.mean(0)
                    var = jnp.square(x - mean).mean(0)
                    hk.set_state("mean", m * old[0] + (1 - m) * mean)
                    hk.set_state("var", m * old[1] + (1 - m) * var)
                return gamma * (x - mean) / jnp.sqrt(ROOT) + beta
        """,
    "keras": """
        import keras
        from keras import ops

        class Norm(keras.layers.Layer):
            def __init__(self, momentum=0.9, epsilon=1e-5, **more):
                super().__init__(**more)
                self.momentum, self.eps = momentum, epsilon

            def build(self, shape):
                def add(start, trainable):
                    return self.add_weight(
                        shape=shape[-1:], initializer=start, trainable=trainable
                    )

                self.scale, self.offset = add("ones", True), add("zeros", True)
                self.mean, self.var = add("zeros", False), add("ones", False)

            def call(self, x, training=False):
                mean, var, m = self.mean, self.var, self.momentum
                if training:
                    mean = ops.mean(x, 0)
                    var = ops.mean(ops.square(x - mean), 0)
                    self.mean.assign(m * self.mean + (1 - m) * mean)
                    self.var.assign(m * self.var + (1 - m) * var)
                return self.scale * (x - mean) / ops.sqrt(ROOT) + self.offset
        """,
    "torch": """
        import torch

        class Norm(torch.nn.Module):
            def __init__(self, dim, momentum=0.1, eps=1e-5):
                super().__init__()
                self.gamma = torch.nn.Parameter(torch.ones(1, dim))
                self.beta = torch.nn.Parameter(torch.zeros(1, dim))
                self.register_buffer("moving_mean", torch.zeros(1, dim))
                self.register_buffer("moving_var", torch.ones(1, dim))
                self.momentum, self.eps = momentum, eps

            def forward(self, x):
                mean, var, m = self.moving_mean, self.moving_var, self.momentum
                if self.training:
                    mean, var = x.mean(0), x.var(0, unbiased=False)
                    with torch.no_grad():
                        self.moving_mean = (1 - m) * self.moving_mean + m * mean
                        self.moving_var = (1 - m) * self.moving_var + m * var
                return self.gamma * (x - mean) / torch.sqrt(ROOT) + self.beta
        """,
}
RIGHT, WRONG = "var + self.eps", "var"
BASIC = ("BN-INIT-1", "BN-TRAIN-1", "BN-EMA-1", "BN-EVAL-1", "BN-GRAD-1")
CLASSES = [*((framework, "Norm") for framework in SOURCES), ("equinox", "ByExample")]


def define(framework: str, name: str, root: str) -> type:
    """Return a class of a framework, or skip the test where that is not installed."""
    pytest.importorskip(framework)
    text = textwrap.dedent(SOURCES[framework]).replace("ROOT", root)
    namespace = {"__name__": __name__}
    exec(compile(text, framework, "exec", dont_inherit=True), namespace)
    return namespace[name]


@pytest.mark.filterwarnings("ignore")  # warnings of the frameworks themselves
@pytest.mark.parametrize(("framework", "name"), CLASSES)
def test_right_classes_conform(framework, name):
    """The class is found by its base class, and its parts by their names."""
    implementation = recognized(define(framework, name, RIGHT))
    offered = implementation.capabilities
    assert (Capability.TRANSFORMS_GRAD in offered) == (framework != "torch")
    assert Capability.GRAD in offered
    assert violated(implementation, *BASIC) == set()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("framework", "name"), CLASSES)
def test_wrong_classes_are_judged(framework, name):
    """A class that leaves ε out takes one for it, and does not use it."""
    implementation = recognized(define(framework, name, WRONG))
    assert violated(implementation, "BN-TRAIN-1") == {"BN-TRAIN-1"}


@pytest.mark.filterwarnings("ignore")
def test_moving_averages_of_haiku_are_written_with_their_sums():
    """The averages of the layer, written by the suite, go on as the sums behind them."""
    haiku = pytest.importorskip("haiku")

    class Inherits(haiku.BatchNorm):
        def __init__(self, decay_rate=0.9, eps=1e-5):
            super().__init__(create_scale=True, create_offset=True, decay_rate=decay_rate, eps=eps)

    conventions = (
        Deviation.ONE_PASS_VARIANCE,
        Deviation.ZERO_DEBIASED_STATISTICS,
        Deviation.GRADIENT_THROUGH_STATISTICS,
    )
    implementation = Implementation.haiku(Inherits, deviations=conventions)
    assert violated(implementation, "BN-EMA-1", "BN-EMA-3", "BN-IND-1") == set()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("flag", ["train()/eval()", "use_batch"])
def test_modes_of_torch(flag):
    """The mode of a module of PyTorch may be an argument of its call, too."""
    torch = pytest.importorskip("torch")

    class Chosen(torch.nn.BatchNorm1d):
        def __init__(self, num_features, momentum=0.1, eps=1e-5):
            super().__init__(num_features, eps=eps, momentum=momentum)

        def forward(self, x, use_batch=None):
            if use_batch is not None:
                self.train(use_batch)
            return super().forward(x)

    conventions = [Deviation.UNBIASED_RUNNING_VARIANCE, Deviation.SINGLE_ROW_REFUSED]
    implementation = Implementation.torch(
        Chosen,
        flag=flag,
        flag_means="evaluation" if "(" in flag else "training",
        deviations=conventions,
    )
    assert violated(implementation, "BN-EMA-1", "BN-EVAL-1") == set()


def test_every_driver_has_a_constructor():
    """Each framework in the table has a driver module and a constructor of that name."""
    frameworks = import_module("conformance.adapters.framework_class").FRAMEWORKS
    assert set(frameworks) == {*SOURCES, "linen"}
    assert all(callable(getattr(Implementation, name)) for name in frameworks)
