"""Classes of flax.linen, driven by their names."""

from __future__ import annotations

import jax.numpy as jnp
import pytest
from flax import linen, nnx
from support.class_judging import BASIC, recognized, violated
from support.sampling import exhaustive

from conformance import Implementation
from conformance.adapters.errors import AdapterError
from conformance.adapters.frameworks import recognize_class
from conformance.adapters.protocols import Config
from conformance.requirements.deviations import Deviation


class Written(linen.Module):
    """Variables under names of its own; ``statistics`` is for subclasses to replace."""

    decay: float = 0.9
    epsilon: float = 1e-5

    def statistics(self, x):
        mean = x.mean(0)
        return mean, jnp.square(x - mean).mean(0)

    @linen.compact
    def __call__(self, x, train):
        shape = x.shape[-1:]
        scale = self.param("w", linen.initializers.ones, (1, *shape))
        shift = self.param("b", linen.initializers.zeros, (1, *shape))
        mean_of = self.variable("averages", "pop_mean", jnp.zeros, shape)
        var_of = self.variable("averages", "pop_var", jnp.ones, shape)
        if not train:
            mean, var = mean_of.value, var_of.value
        else:
            mean, var = self.statistics(x)
            if not self.is_initializing():
                mean_of.value = self.decay * mean_of.value + (1 - self.decay) * mean
                var_of.value = self.decay * var_of.value + (1 - self.decay) * var
        return scale * (x - mean) / jnp.sqrt(var + self.epsilon) + shift


class Unbiased(Written):
    def statistics(self, x):
        mean, var = super().statistics(x)
        return mean, var * len(x) / max(len(x) - 1, 1)


class InConstructor(linen.Module):
    """The mode is a field, and the layer is inside."""

    use_running_average: bool
    momentum: float = 0.99
    epsilon: float = 1e-5

    @linen.compact
    def __call__(self, x):
        return linen.BatchNorm(
            self.use_running_average,
            momentum=self.momentum,
            epsilon=self.epsilon,
            use_fast_variance=False,
        )(x)


class Exchanged(InConstructor):
    """Evaluates in training."""

    @linen.compact
    def __call__(self, x):
        return linen.BatchNorm(
            not self.use_running_average, momentum=self.momentum, epsilon=self.epsilon
        )(x)


class Channels(Written):
    """For images with channels on axis 1; ``axes`` are those of the statistics."""

    axes = (0, 2, 3)

    @linen.compact
    def __call__(self, x, train):
        shape = (1, x.shape[1], 1, 1)
        scale = self.param("scale", linen.initializers.ones, shape)
        bias = self.param("bias", linen.initializers.zeros, shape)
        mean_of = self.variable("batch_stats", "mean", jnp.zeros, shape)
        var_of = self.variable("batch_stats", "var", jnp.ones, shape)
        mean, var = mean_of.value, var_of.value
        if train:
            mean = x.mean(self.axes, keepdims=True)
            var = jnp.square(x - mean).mean((0, 2, 3), keepdims=True)
            mean = mean.mean((0, 2, 3), keepdims=True)
            if not self.is_initializing():
                mean_of.value = self.decay * mean_of.value + (1 - self.decay) * mean
                var_of.value = self.decay * var_of.value + (1 - self.decay) * var
        return scale * (x - mean) / jnp.sqrt(var + self.epsilon) + bias


class Forgetful(Channels):
    """Leaves an axis out of the statistics."""

    axes = (0, 2)


@pytest.mark.parametrize("found", [Written, pytest.param(InConstructor, marks=exhaustive)])
def test_right_classes_conform(found):
    """Names, shapes and the place of the mode are found out."""
    assert violated(recognized(found), *BASIC) == set()


@pytest.mark.parametrize(
    ("found", "requirement"), [(Unbiased, "BN-TRAIN-1"), (Exchanged, "BN-TRAIN-1")]
)
def test_wrong_classes_are_judged(found, requirement):
    """A mistake of the class is a violation, not a failure of the adapter."""
    assert violated(recognized(found), requirement) == {requirement}


def test_images_are_judged_in_their_layout():
    """Rows are spread over the axes of an image, of several sizes."""
    right = Implementation.linen(Channels, layout="first", ndim=4)
    assert violated(right, "BN-EMA-1", "BN-EVAL-1") == set()
    wrong = Implementation.linen(Forgetful, layout="first", ndim=4)
    assert violated(wrong, "BN-TRAIN-1") == {"BN-TRAIN-1"}


def test_arrays_are_read_and_written_flat():
    """An array (1, D) is (D,) for the suite, and keeps its shape in the layer."""
    implementation = recognized(Written)
    layer = implementation.build(Config(features=3))
    layer.write({"gamma": jnp.arange(3.0)})
    assert layer.read()["gamma"].tolist() == [0, 1, 2]
    assert layer.pure.places.put(layer.arrays)["params"]["w"].shape == (1, 3)


def test_what_is_declared_reaches_the_implementation():
    """Deviations may be any iterable; the name is that of the class or what is given."""
    deviations = [Deviation.GRADIENT_THROUGH_STATISTICS]
    implementation = Implementation.linen(Written, deviations=deviations)
    assert implementation.deviations == set(deviations)
    assert implementation.name == "Written"
    assert Implementation.linen(Written, name="mine").name == "mine"


class Strange(Written):
    @linen.compact
    def __call__(self, x, how):  # noqa: ARG002
        return x


class Two(linen.Module):
    momentum: float = 0.9
    epsilon: float = 1e-5

    @linen.compact
    def __call__(self, x, train):
        for _ in range(2):
            x = linen.BatchNorm(not train, momentum=self.momentum, epsilon=self.epsilon)(x)
        return x


@pytest.mark.parametrize(
    ("found", "options", "words"),
    [
        (Strange, {}, ["(x, how)", "flag=…", "Implementation.linen(Strange, …)"]),
        (Strange, {"flag": "how"}, ["flag='how'", "flag_means="]),
        (Two, {}, ["gamma", "BatchNorm_0.scale", "BatchNorm_1.scale", "gamma=…"]),
        (Written, {"gamma": "nowhere"}, ["gamma='nowhere'", "averages.pop_mean"]),
        (Written, {"layout": "middle"}, ["layout='middle'", "'first'"]),
        (Written, {"momentum_weights": "all"}, ["momentum_weights='all'", "'new'"]),
        (Written, {"scale": "w"}, ["'scale'", "running_mean"]),
    ],
)
def test_wrong_input_is_explained(found, options, words):
    """The message has the value, the rule and the line to write."""
    with pytest.raises(AdapterError) as caught:
        Implementation.linen(found, **options).build(Config(features=3))
    assert [word for word in words if word not in str(caught.value)] == []


def test_what_is_declared_can_be_a_key():
    """What is predicted of a layer is looked up by its conventions."""
    made = recognized(Written)

    assert isinstance(hash(made.design), int)


def test_classes_of_no_framework_are_left_alone():
    """A plain class and an ``nnx.Module`` are for others to recognize."""
    assert recognize_class("int", int) is None
    assert recognize_class("BatchNorm", nnx.BatchNorm) is None
