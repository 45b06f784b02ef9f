"""Layers in the shapes in which people write them, for recognition; right, or named faulty."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

STOP = jax.lax.stop_gradient


class Rows(nnx.Module):
    """The base of most: names, shapes and mode of a plain layer; parts are replaced below."""

    names = ("gamma", "beta", "running_mean", "running_var")
    axes: tuple[int, ...] = (0,)

    def create(self, width, momentum=0.9, eps=1e-5, shape=None):
        shape = (width,) if shape is None else shape
        makers = (nnx.Param, nnx.Param, nnx.BatchStat, nnx.BatchStat)
        values = (jnp.ones, jnp.zeros, jnp.zeros, jnp.ones)
        for name, make, value in zip(self.names, makers, values, strict=True):
            setattr(self, name, make(value(shape)))
        self.hyper_m, self.hyper_e = momentum, eps

    def normalize(self, x, *, train):
        gamma, beta, mean, var = (getattr(self, name) for name in self.names)
        keep = len(mean.shape) > 1
        if train:
            m, v = x.mean(self.axes, keepdims=keep), x.var(self.axes, keepdims=keep)
            self.update(mean, m)
            self.update(var, v * self.correct(x))
        else:
            m, v = mean[...], var[...]
        return (x - m) / jnp.sqrt(v + self.hyper_e) * gamma[...] + beta[...]

    def update(self, variable, value):
        variable[...] = STOP(self.hyper_m * variable[...] + (1 - self.hyper_m) * value)

    def correct(self, x):
        return 1.0


class Train(Rows):
    def __init__(self, num_features, *, momentum=0.99, eps=1e-5):
        self.create(num_features, momentum, eps)

    def __call__(self, x, train: bool):
        return self.normalize(x, train=train)


class Shown(Train):
    """The statistics have the usual names only to be read."""

    names = ("gamma", "beta", "_mean", "_var")

    @property
    def running_mean(self):
        return self._mean[...]

    @property
    def running_var(self):
        return self._var[...]


class Deterministic(Rows):
    names = ("weight", "bias", "moving_mean", "moving_variance")

    def __init__(self, channels, decay, epsilon, rngs):
        self.create(channels, decay, epsilon)

    def __call__(self, inputs, deterministic=False):
        return self.normalize(inputs, train=not deterministic)


class Opaque(Rows):
    """No name says anything."""

    names = ("p", "q", "r", "s")

    def __init__(self, k, keep=0.7, floor=1e-3):
        self.create(k, keep, floor)

    def __call__(self, z, live=True):
        return self.normalize(z, train=live)


class OpaqueProduct(Opaque):
    """Multiplies by the mean, so that a fresh layer evaluates to zeros, as if it centred them."""

    names = ("p", "q", "mean", "var")

    def normalize(self, x, *, train):
        mean, var = (getattr(self, name) for name in self.names[2:])
        m, v = (x.mean(0), x.var(0)) if train else (mean[...], var[...])
        if train:
            self.update(mean, m)
            self.update(var, v)
        return x * m / jnp.sqrt(v + self.hyper_e)


class OpaqueInverted(Opaque):
    def __call__(self, z, quiet=False):
        return self.normalize(z, train=not quiet)


class Required(Rows):
    """Required arguments without known names, told apart by their effect."""

    def __init__(self, k, keep, floor):
        self.create(k, keep, floor)

    def __call__(self, x, training=True):
        return self.normalize(x, train=training)


class Fixed(Rows):
    def __init__(self, dim):
        self.create(dim, 0.997, 2e-3)

    def __call__(self, x, use_running_average=False):
        return self.normalize(x, train=not use_running_average)


class Attribute(Rows):
    def __init__(self, d, momentum, eps):
        self.create(d, momentum, eps)
        self.training = True

    def __call__(self, x):
        return self.normalize(x, train=self.training)


class Overriding(Attribute):
    """Faulty: the attribute decides, and the argument of its name is ignored."""

    def __call__(self, x, training=None):
        return self.normalize(x, train=self.training if self.training is not None else training)


class Overridden(Attribute):
    """The argument decides if it is given."""

    def __call__(self, x, training=None):
        return self.normalize(x, train=self.training if training is None else training)


class OpaqueAttribute(Rows):
    def __init__(self, d, momentum, eps):
        self.create(d, momentum, eps)
        self.busy = True

    def __call__(self, x):
        return self.normalize(x, train=self.busy)


class Methods(Rows):
    def __init__(self, d, momentum, eps):
        self.create(d, momentum, eps)
        self.phase = 0

    def train(self):
        self.phase = 0

    def eval(self):
        self.phase = 1

    def __call__(self, x):
        return self.normalize(x, train=self.phase == 0)


class Setter(Methods):
    def set_training(self, value):
        self.phase = 0 if value else 1

    train = eval = None


class Images(Rows):
    axes = (0, 1, 2)

    def __init__(self, num_features, momentum=0.9, eps=1e-5, rngs=None):
        self.create(num_features, momentum, eps)

    def __call__(self, x, train):
        n, h, w, c = x.shape
        return self.normalize(x, train=train)


class ChannelsFirst(Images):
    axes = (0, 2, 3)

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.create(num_features, momentum, eps, (1, num_features, 1, 1))


class Sequences(Images):
    axes = (0, 1)

    def __call__(self, x, train):
        n, t, c = x.shape
        return self.normalize(x, train=train)


class SequencesFirst(Sequences):
    axes = (0, 2)

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.create(num_features, momentum, eps, (1, num_features, 1))


class Volumes(Images):
    axes = (0, 1, 2, 3)

    def __call__(self, x, train):
        n, t, h, w, c = x.shape
        return self.normalize(x, train=train)


class AnyRank(Images):
    def __call__(self, x, train):
        self.axes = tuple(range(x.ndim - 1))
        return self.normalize(x, train=train)


class RowArrays(Rows):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.create(num_features, momentum, eps, (1, num_features))

    def __call__(self, x, train):
        return self.normalize(x, train=train)


class TorchLike(Train):
    def __init__(self, num_features, momentum=0.1, eps=1e-5):
        self.create(num_features, momentum, eps)
        self.num_batches_tracked = nnx.BatchStat(jnp.array(0))

    def update(self, variable, value):
        variable[...] = STOP((1 - self.hyper_m) * variable[...] + self.hyper_m * value)

    def correct(self, x):
        n = x.shape[0]
        assert n > 1, "one value"
        self.num_batches_tracked[...] += 1
        return n / (n - 1)


class ScaleOnly(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.bn = nnx.BatchNorm(num_features, momentum=momentum, epsilon=eps, use_bias=False,
                                rngs=nnx.Rngs(0))  # fmt: skip

    def __call__(self, x, is_training):
        return self.bn(x, use_running_average=not is_training)


class NotAffine(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x, train):
        m, v = (x.mean(0), x.var(0)) if train else (self.mean[...], self.var[...])
        if train:
            k = self.momentum
            self.mean[...] = STOP(k * self.mean[...] + (1 - k) * m)
            self.var[...] = STOP(k * self.var[...] + (1 - k) * v)
        return (x - m) / jnp.sqrt(v + self.eps)


class WithoutStatistics(nnx.Module):
    def __init__(self, num_features, eps=1e-5):
        self.scale = nnx.Param(jnp.ones(num_features))
        self.shift = nnx.Param(jnp.zeros(num_features))
        self.eps = eps

    def __call__(self, x):
        return (x - x.mean(0)) / jnp.sqrt(x.var(0) + self.eps) * self.scale[...] + self.shift[...]


class Inference(Rows):
    def __init__(self, num_features, eps=1e-5):
        self.create(num_features, eps=eps)

    def __call__(self, x):
        return self.normalize(x, train=False)


class AlwaysTrains(Rows):
    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.create(num_features, momentum, eps)

    def __call__(self, x):
        return self.normalize(x, train=True)


class Nested(nnx.Module):
    def __init__(self, width, ema, rngs):
        self.inner = nnx.BatchNorm(width, momentum=ema, rngs=rngs)

    def __call__(self, x):
        return self.inner(x)


class Kwargs(Rows):
    """Every argument is a keyword, and taken from a dict."""

    def __init__(self, **kwargs):
        self.create(kwargs["num_features"], kwargs.get("momentum", 0.9), kwargs.get("eps", 1e-5))

    def __call__(self, x, **kwargs):
        return self.normalize(x, train=kwargs.get("train", True))


class Dims(Rows):
    def __init__(self, num_features, num_dims, dtype, affine, momentum=0.9, eps=1e-5):
        assert affine
        shape = (1, num_features) if num_dims == 2 else (1, num_features, 1, 1)
        self.create(num_features, momentum, eps, shape)

    def __call__(self, x, train):
        return self.normalize(x, train=train)


class NumPy(Rows):
    """JAX cannot trace it."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.create(num_features, momentum, eps)

    def __call__(self, x, train):
        if float(x.sum()) == 0.123:
            return x
        return self.normalize(x, train=train)


class WrongNames(Rows):
    """Faulty: the flag means the opposite of its name."""

    def __init__(self, d, momentum, eps, rngs):
        self.create(d, momentum, eps)

    def __call__(self, x, use_running_average):
        return self.normalize(x, train=use_running_average)


class IgnoresFlag(WrongNames):
    """Faulty: it trains in either mode."""

    def __call__(self, x, use_running_average):
        return self.normalize(x, train=True)


class Unknown(Rows):
    def __init__(self, d, policy, momentum, eps):
        self.create(d, momentum, policy.eps)


class Unused(Rows):
    def __init__(self, d, policy, momentum, eps):
        self.create(d, momentum, eps)

    def __call__(self, x, train):
        return self.normalize(x, train=train)


class Stacked(nnx.Module):
    """Two layers, either of which may be meant."""

    def __init__(self, d, momentum, eps, rngs):
        self.one = nnx.BatchNorm(d, momentum=momentum, epsilon=eps, rngs=rngs)
        self.two = nnx.BatchNorm(d, momentum=momentum, epsilon=eps, rngs=rngs)

    def __call__(self, x, use_running_average):
        return self.two(self.one(x, use_running_average), use_running_average)


Bound = partial(Deterministic, decay=0.8)


def make_train(dim, momentum=0.9):
    return Train(dim, momentum=momentum, eps=1e-4)


def make_default(num_features=8, momentum=0.9, eps=1e-5):
    return Train(num_features, momentum=momentum, eps=eps)


class RowsOrImages(Images):
    def __call__(self, x, train):
        assert x.ndim in (2, 4)
        self.axes = tuple(range(x.ndim - 1))
        return self.normalize(x, train=train)


class HiddenKwargs(Rows):
    """Momentum and ε are in no signature."""

    def __init__(self, num_features, **kwargs):
        self.create(num_features, kwargs.get("momentum", 0.9), kwargs.get("eps", 1e-5))

    def __call__(self, x, train):
        return self.normalize(x, train=train)


class FrozenInside(Rows):
    """It has a flag, and evaluates in every call."""

    def __init__(self, d, momentum, eps, rngs):
        self.create(d, momentum, eps)

    def __call__(self, x, use_running_average):
        assert x.ndim == 2
        return self.normalize(x, train=False)


class Average(nnx.Module):
    """A running average, which does not know of what."""

    def __init__(self, width, momentum):
        self.average, self.momentum = nnx.BatchStat(jnp.zeros(width)), momentum

    def update(self, value):
        self.average[...] = STOP(self.momentum * self.average[...] + (1 - self.momentum) * value)


class Averages(nnx.Module):
    """The statistics have one name, and start alike, which is wrong; what holds them says which."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        self.scale, self.offset = (
            nnx.Param(jnp.ones(num_features)),
            nnx.Param(jnp.zeros(num_features)),
        )
        self.mean_ema, self.var_ema = (
            Average(num_features, momentum),
            Average(num_features, momentum),
        )
        self.eps = eps

    def __call__(self, x, use_running_average):
        mean, var = self.mean_ema.average[...], self.var_ema.average[...]
        if not use_running_average:
            mean, var = x.mean(0), x.var(0)
            self.mean_ema.update(mean)
            self.var_ema.update(var)
        return (x - mean) / jnp.sqrt(var + self.eps) * self.scale[...] + self.offset[...]


class OneOfTwo(Stacked):
    """The second layer is not used."""

    def __call__(self, x, use_running_average):
        return self.one(x, use_running_average)


class Uncallable(Rows):
    def __init__(self, num_features):
        self.create(num_features)

    def __call__(self, x, train):
        raise RuntimeError("never")


class Lazy(Rows):
    def __init__(self, momentum=0.9, eps=1e-5):
        self.hyper_m, self.hyper_e = momentum, eps


class OverFeatures(nnx.Module):
    """Faulty: the statistics are those of each row."""

    def __init__(self, features, mu=0.95):
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))
        self.mu = mu

    def __call__(self, x):
        m, v = jnp.mean(x, axis=-1), jnp.var(x, axis=-1)
        self.mean[...] = self.mu * self.mean[...] + (1 - self.mu) * m
        self.var[...] = self.mu * self.var[...] + (1 - self.mu) * v
        return (x - m) / jnp.sqrt(v + 1e-5)
