"""Layers whose mode is a word or whose constructor takes a configuration, and some to refuse."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

stop = jax.lax.stop_gradient


class _Base(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum, self.eps = momentum, eps

    def apply(self, x, trains):
        if trains:
            mean, var = x.mean(0), x.var(0)
            m = self.momentum
            self.running_mean[...] = stop(m * self.running_mean[...] + (1 - m) * mean)
            self.running_var[...] = stop(m * self.running_var[...] + (1 - m) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]


class KeepsMean(_Base):
    """No call moves the mean, so that momentum, taken from a dict, shows in the variance alone."""

    def __init__(self, num_features: int, **options: float):
        super().__init__(num_features, options.get("momentum", 0.9), options.get("eps", 1e-5))

    def __call__(self, x, train):
        mean = self.running_mean[...]
        y = self.apply(x, train)
        self.running_mean[...] = mean
        return y


class Typed(_Base):
    """Arrays of NumPy are refused."""

    def __call__(self, x, train):
        if not isinstance(x, jax.Array):
            raise TypeError(x)
        return self.apply(x, train)


class Indexed(_Base):
    """Rows are taken by an index that is traced, which arrays of NumPy refuse."""

    def __call__(self, x, train):
        if train:
            first = jax.lax.fori_loop(0, 1, lambda i, total: total + x[i], jnp.zeros(x.shape[1]))
            x = x.at[0].set(first)
        return self.apply(x, train)


class Listed(_Base):
    """All words are in the annotation, and others are refused."""

    def __call__(self, x, mode: Literal["infer", "train"] = "infer"):
        if mode not in ("infer", "train"):
            raise ValueError(mode)
        return self.apply(x, mode == "train")


class WithDefault(_Base):
    """One word is the default, in upper case; the other one is TEST."""

    def __call__(self, x, split="TRAIN"):
        return self.apply(x, split != "TEST")


class RequiredWord(_Base):
    """Nothing but the name says that it is a word."""

    def __call__(self, x, phase):
        return self.apply(x, {"train": True, "eval": False}[phase])


class InAttribute(_Base):
    """An attribute has the word."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        self.stage = "train"

    def __call__(self, x):
        return self.apply(x, self.stage == "train")


class BySetter(InAttribute):
    """A method takes the word."""

    def set_mode(self, mode):
        self.stage = {"train": "train", "eval": "eval"}[mode]


class BooleanMode(_Base):
    """A boolean has the name of a word."""

    def __call__(self, x, mode):
        return self.apply(x, mode is True)


class Phase(enum.Enum):
    TRAIN = enum.auto()
    EVAL = enum.auto()


class OfEnum(_Base):
    """The mode is a member of an enumeration, which no line can name."""

    def __call__(self, x, phase: Phase = Phase.TRAIN):
        return self.apply(x, phase is Phase.TRAIN)


class FailsInEvaluation(_Base):
    """A wrong layer: its evaluation raises, which must not pass for a layer without modes."""

    def __call__(self, x, train: bool = True):
        if not train:
            raise AttributeError("running")
        return self.apply(x, trains=True)


@dataclass(frozen=True)
class Config:
    width: int
    decay: float = 0.9
    epsilon: float = 1e-5
    names: tuple[str, ...] = field(default=())


class Configured(_Base):
    """A dataclass is required."""

    def __init__(self, cfg: Config, *, rngs: nnx.Rngs):
        self.rngs_given = bool(rngs)
        super().__init__(cfg.width, cfg.decay, cfg.epsilon)

    def __call__(self, x, train: bool):
        return self.apply(x, train)


class Hyperparameters(NamedTuple):
    alpha: float = 0.9
    eps: float = 1e-5


_SLOW = Hyperparameters(alpha=0.99)


class PartlyConfigured(_Base):
    """The width is an argument, and the rest the default of a named tuple."""

    def __init__(self, channels, hyper=_SLOW):
        super().__init__(channels, hyper.alpha, hyper.eps)

    def __call__(self, x, train: bool):
        return self.apply(x, train)


class OptionalConfig(Configured):
    """The annotation is a union, and a string."""

    def __init__(self, config: Config | None = None):
        super().__init__(config or Config(4), rngs=nnx.Rngs(0))


class KeepsStreams(_Base):
    """Random streams and a counter are kept in the state."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        super().__init__(num_features, momentum, eps)
        self.noise = nnx.Rngs(noise=rngs.params())
        self.seen = nnx.Variable(jnp.zeros((), jnp.int32))

    def __call__(self, x, train: bool):
        self.seen[...] = self.seen[...] + len(x)
        return self.apply(x, train)


class StandardDeviation(_Base):
    """A standard deviation is kept instead of the variance."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5):
        super().__init__(num_features, momentum, eps)
        del self.running_var
        self.running_std = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, train: bool):
        if train:
            mean, var = x.mean(0), x.var(0)
            m = self.momentum
            self.running_mean[...] = stop(m * self.running_mean[...] + (1 - m) * mean)
            self.running_std[...] = stop(jnp.sqrt(m * self.running_std[...] ** 2 + (1 - m) * var))
        else:
            mean, var = self.running_mean[...], self.running_std[...] ** 2
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]


class OneArray(nnx.Module):
    """Two arrays for four."""

    def __init__(self, num_features):
        both = jnp.stack([jnp.ones(num_features), jnp.zeros(num_features)])
        self.affine, self.stats = nnx.Param(both), nnx.BatchStat(both[::-1])

    def __call__(self, x, train: bool):
        now = jnp.stack([x.mean(0), x.var(0)]) if train else self.stats[...]
        if train:
            self.stats[...] = stop(0.9 * self.stats[...] + 0.1 * now)
        return self.affine[0] * (x - now[0]) / jnp.sqrt(now[1] + 1e-5) + self.affine[1]


class StackedStatistics(nnx.Module):
    """One array for both running statistics."""

    def __init__(self, num_features):
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.stats = nnx.BatchStat(jnp.stack([jnp.zeros(num_features), jnp.ones(num_features)]))

    def __call__(self, x, train: bool):
        now = jnp.stack([x.mean(0), x.var(0)]) if train else self.stats[...]
        if train:
            self.stats[...] = stop(0.9 * self.stats[...] + 0.1 * now)
        return self.scale[...] * (x - now[0]) / jnp.sqrt(now[1] + 1e-5) + self.bias[...]


class InDictionary(StackedStatistics):
    """A Variable with a dictionary of both running statistics."""

    def __init__(self, num_features):
        super().__init__(num_features)
        mean, var = self.stats[...]
        self.stats = nnx.BatchStat({"mean": mean, "var": var})

    def __call__(self, x, train: bool):
        old = self.stats.get_value()
        now = {"mean": x.mean(0), "var": x.var(0)} if train else old
        if train:
            self.stats.set_value({key: stop(0.9 * old[key] + 0.1 * now[key]) for key in old})
        z = (x - now["mean"]) / jnp.sqrt(now["var"] + 1e-5)
        return self.scale[...] * z + self.bias[...]


class StackedColumns(StackedStatistics):
    """One array for both running statistics, a column of each."""

    def __init__(self, num_features):
        super().__init__(num_features)
        self.stats = nnx.BatchStat(self.stats[...].T)

    def __call__(self, x, train: bool):
        now = jnp.stack([x.mean(0), x.var(0)], 1) if train else self.stats[...]
        if train:
            self.stats[...] = stop(0.9 * self.stats[...] + 0.1 * now)
        mean, var = now.T
        return self.scale[...] * (x - mean) / jnp.sqrt(var + 1e-5) + self.bias[...]


class TimeConstant(_Base):
    """An argument from which the weight of the old value follows, and that is none itself."""

    def __init__(self, num_features, tau=10.0):
        super().__init__(num_features, momentum=1 - 1 / tau)

    def __call__(self, x, train: bool):
        return self.apply(x, train)


class Cumulative(_Base):
    """Each batch weighs as much as all before, so no momentum below 1 fits."""

    def __init__(self, num_features):
        super().__init__(num_features)
        self.batches = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def __call__(self, x, train: bool):
        if train:
            self.batches[...] += 1
            self.momentum = 1 - 1 / self.batches[...]
        y = self.apply(x, train)
        self.momentum = 0.0
        return y


class Settings(NamedTuple):
    """What a layer can be configured with."""

    momentum: float = 0.9
    eps: float = 1e-5


class IgnoresOptions(_Base):
    """A wrong layer: it knows its options, and uses the defaults."""

    def __init__(self, num_features, **options):
        super().__init__(num_features, *Settings(**{**options, **Settings()._asdict()}))

    def __call__(self, x, train: bool):
        return self.apply(x, train)


class Plain:
    """No module of any framework."""

    def __init__(self, d):
        self.gamma = jnp.ones(d)


def make_pair(momentum=0.9):
    """Return two functions, as stax does."""
    return jnp.ones, (lambda params, x: params * x * momentum)
