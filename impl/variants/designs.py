"""Layers that are driven in another way, or that fix, lack or add something by design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from impl.stepwise import Array, StepwiseBatchNorm
from impl.variants.record import variant


@variant("frozen-declared", modes="evaluation")
class Frozen(StepwiseBatchNorm):
    """Every call evaluates, and nothing moves."""

    def train_step(self, x: Any) -> Any:
        return self.evaluate(x)


@variant("frozen-parameters-declared", modes="evaluation")
class FrozenParameters(Frozen):
    """Every call evaluates, and gamma and beta are not parameters either."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.gamma, self.beta = nnx.Variable(self.gamma[...]), nnx.Variable(self.beta[...])


@variant("no-running-statistics-declared", running_mean=None, running_var=None)
class BatchOnly(StepwiseBatchNorm):
    """There are no running statistics; every call normalizes with its batch."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        self.gamma, self.beta = nnx.Param(self.start_gamma(d, rngs)), nnx.Param(self.start_beta(d))

    def update(self, x: Any, mean: Array, var: Array) -> None:
        pass

    def evaluate(self, x: Any) -> Any:
        return self.train_step(x)


@variant("scale-only", beta=None)
class ScaleOnly(StepwiseBatchNorm):
    """There is no beta."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        del self.beta

    def affine(self, z: Array) -> Array:
        return self.gamma[...] * z


@variant("not-affine", gamma=None, beta=None)
class NotAffine(StepwiseBatchNorm):
    """There are neither gamma nor beta."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        del self.gamma, self.beta

    def affine(self, z: Array) -> Array:
        return z


@variant("fixed-hyperparameters", rngs=False, fixed={"momentum": 0.9, "eps": 1e-5})
class FixedHyperparameters(StepwiseBatchNorm):
    """Momentum and eps are literals, and the constructor takes the width alone."""

    def __init__(self, d: int) -> None:
        super().__init__(d, 0.9, 1e-5, nnx.Rngs(0))


@variant("training-flag", flag="train", flag_means="training")
class TrainingFlag(StepwiseBatchNorm):
    """A true flag trains."""

    def __call__(self, x: Any, train: Any) -> Any:
        return super().__call__(x, use_running_average=not train)


@variant("mode-attribute", flag=".training", flag_means="training")
class ModeAttribute(StepwiseBatchNorm):
    """The mode is an attribute, false at first."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, eps, rngs)
        self.training = False

    def __call__(self, x: Any) -> Any:  # type: ignore[override]
        return super().__call__(x, use_running_average=not self.training)


@variant("mode-methods", flag="learn()/freeze()")
class ModeMethods(ModeAttribute):
    """The mode is set by two methods."""

    def learn(self) -> None:
        """Train from now on."""
        self.training = True

    def freeze(self) -> None:
        """Evaluate from now on."""
        self.training = False


@variant("mode-setter", flag="set_mode(evaluate)")
class ModeSetter(ModeAttribute):
    """The mode is set by one method."""

    def set_mode(self, *, evaluate: bool) -> None:
        """Choose the mode of the following calls."""
        self.training = not evaluate


@variant("mode-word", flag="mode", flag_values=("train", "eval"))
class ModeWord(StepwiseBatchNorm):
    """The mode is a word, and another word is refused."""

    def __call__(self, x: Any, mode: Literal["train", "eval"] = "train") -> Any:
        if mode not in ("train", "eval"):
            msg = f"mode is {mode!r}: expected 'train' or 'eval'"
            raise ValueError(msg)
        return super().__call__(x, use_running_average=mode == "eval")


@variant("mode-word-attribute", flag=".phase", flag_values=("fit", "predict"))
class ModeWordAttribute(StepwiseBatchNorm):
    """The mode is a word in an attribute."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, eps, rngs)
        self.phase = "predict"

    def __call__(self, x: Any) -> Any:  # type: ignore[override]
        return super().__call__(x, use_running_average=self.phase == "predict")


@dataclass(frozen=True)
class NormConfig:
    """A configuration object."""

    d: int
    momentum: float = 0.9
    eps: float = 1e-5


@variant("config-object", features="config.d", momentum="config.momentum", eps="config.eps")
class ConfigObject(StepwiseBatchNorm):
    """The constructor takes a configuration object."""

    def __init__(self, config: NormConfig, rngs: nnx.Rngs) -> None:
        super().__init__(config.d, config.momentum, config.eps, rngs)


@variant("counts-batches", extra=("batches",))
class CountsBatches(StepwiseBatchNorm):
    """A counter of training calls is part of the state."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.batches = nnx.Variable(jnp.zeros((), jnp.uint32))

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        self.batches[...] = self.batches[...] + 1


class Images(StepwiseBatchNorm):
    """Batches of images, with the features on ``axis``, and arrays that broadcast against them."""

    axis = -1
    ndim = 4

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        del rngs
        shape = [1] * self.ndim
        shape[self.axis] = d
        ones, zeros = jnp.ones(shape, jnp.float32), jnp.zeros(shape, jnp.float32)
        self.gamma, self.beta = nnx.Param(ones), nnx.Param(zeros)
        self.running_mean, self.running_var = nnx.Variable(zeros + 0), nnx.Variable(ones + 0)

    def over(self) -> tuple[int, ...]:
        """Return the axes that a statistic sums over."""
        return tuple(axis for axis in range(self.ndim) if axis != self.axis % self.ndim)

    def batch_mean(self, x: Any) -> Array:
        if x.ndim != self.ndim:
            msg = f"expected {self.ndim} axes, got {x.ndim}"
            raise ValueError(msg)
        return jnp.mean(x, axis=self.over(), keepdims=True)

    def batch_var(self, x: Any, mean: Array) -> Array:
        return jnp.mean(jnp.square(x - mean), axis=self.over(), keepdims=True)


@variant("nhwc", ndim=4)
class Nhwc(Images):
    """Images with the features last, and no other input."""


@variant("nchw", ndim=4, layout="first")
class Nchw(Images):
    """Images with the features on axis 1, and no other input."""

    axis = 1


@variant("ncl", ndim=3, layout="first")
class Ncl(Images):
    """Sequences with the features on axis 1, and no other input."""

    axis, ndim = 1, 3


@variant("row-arrays", ndim=2)
class RowArrays(Images):
    """Arrays of shape (1, D)."""

    ndim = 2


@variant("jax-arrays-only", takes_numpy=False)
class JaxArraysOnly(StepwiseBatchNorm):
    """Arrays of NumPy are refused, as by annotations that are checked."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if not isinstance(x, jax.Array):
            msg = f"x is a {type(x).__name__}"
            raise TypeError(msg)
        return super().__call__(x, use_running_average)
