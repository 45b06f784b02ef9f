"""Faulty start values and construction."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault(
    "running-var-zeros", "BN-INIT-4", "BN-EVAL-4", source="patrick-kidger/equinox#955, d2l-en#1591"
)
class RunningVarZeros(StepwiseBatchNorm):
    """The running variance starts at zero."""

    def start_var(self, d: int) -> Array:
        return jnp.zeros((d,), jnp.float32)


@fault("running-mean-ones", "BN-INIT-3", "BN-EVAL-4")
class RunningMeanOnes(StepwiseBatchNorm):
    """The running mean starts at one."""

    def start_mean(self, d: int) -> Array:
        return jnp.ones((d,), jnp.float32)


@fault(
    "gamma-random",
    "BN-INIT-1",
    "BN-INIT-6",
    source="pytorch/pytorch#12259",
    diagnosed="gamma-starts-varied",
)
class GammaRandom(StepwiseBatchNorm):
    """gamma is drawn uniformly from [0, 1)."""

    def start_gamma(self, d: int, rngs: nnx.Rngs) -> Array:
        return jax.random.uniform(rngs.params(), (d,))


@fault("gamma-scalar", "BN-INIT-1")
class GammaScalar(StepwiseBatchNorm):
    """gamma is one number for all features."""

    def start_gamma(self, d: int, rngs: nnx.Rngs) -> Array:
        del d, rngs
        return jnp.ones((), jnp.float32)


@fault("beta-noise", "BN-INIT-2", diagnosed="beta-starts-at")
class BetaNoise(StepwiseBatchNorm):
    """beta starts at 1e-4 to break a symmetry that is not there."""

    def start_beta(self, d: int) -> Array:
        return jnp.full((d,), 1e-4, jnp.float32)


@fault("running-var-float16", "BN-INIT-5", "BN-EMA-2", diagnosed="stored-dtype")
class RunningVarFloat16(StepwiseBatchNorm):
    """The running variance alone is kept in float16."""

    def start_var(self, d: int) -> Array:
        return jnp.ones((d,), jnp.float16)


@fault("state-float16", "BN-INIT-5", "BN-EMA-6")
class StateFloat16(StepwiseBatchNorm):
    """The running statistics are kept in float16."""

    def start_mean(self, d: int) -> Array:
        return jnp.zeros((d,), jnp.float16)

    def start_var(self, d: int) -> Array:
        return jnp.ones((d,), jnp.float16)

    def moved(self, old: Array, new: Array) -> Array:
        return super().moved(old, new).astype(jnp.float16)


@fault(
    "dummy-batch",
    "BN-INIT-7",
    "BN-INIT-4",
    source="google/flax#1254",
    diagnosed="dummy-batch-of-zeros",
)
class DummyBatch(StepwiseBatchNorm):
    """Construction trains on a batch of zeros to find the shapes."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, eps, rngs)
        self(jnp.zeros((2, d)), False)


@fault("lazy-arrays", "BN-INIT-7")
class LazyArrays(StepwiseBatchNorm):
    """The arrays are created at the first call."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        self.arguments = (d, rngs.params.count[...].item())

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if not hasattr(self, "gamma"):
            super().create(x.shape[1], nnx.Rngs(0))
        return super().__call__(x, use_running_average)


@fault("momentum-or-default", "BN-INIT-8", "BN-EMA-5")
class MomentumOrDefault(StepwiseBatchNorm):
    """A momentum of exactly 0 is taken for 'not given' and becomes 0.9."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum or 0.9, eps, rngs)


@fault("momentum-clipped", "BN-INIT-8", "BN-EMA-4")
class MomentumClipped(StepwiseBatchNorm):
    """The momentum is clipped to [0.001, 0.999]."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, min(max(momentum, 0.001), 0.999), eps, rngs)


@fault("momentum-two-decimals", "BN-INIT-8")
class MomentumTwoDecimals(StepwiseBatchNorm):
    """The momentum is rounded to two decimals."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, round(momentum, 2), eps, rngs)


@fault("initialisers-exchanged", "BN-INIT-1", "BN-INIT-2")
class InitialisersExchanged(StepwiseBatchNorm):
    """gamma starts at zeros and beta at ones."""

    def start_gamma(self, d: int, rngs: nnx.Rngs) -> Array:
        del rngs
        return jnp.zeros((d,), jnp.float32)

    def start_beta(self, d: int) -> Array:
        return jnp.ones((d,), jnp.float32)


@fault("momentum-below-one", "BN-INIT-8", diagnosed="momentum-at-most-unless-one")
class MomentumBelowOne(StepwiseBatchNorm):
    """A momentum other than one is cut to 0.99."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum if momentum == 1 else min(momentum, 0.99), eps, rngs)


@fault("eps-at-least", "BN-INIT-8")
class EpsAtLeast(StepwiseBatchNorm):
    """eps is raised to 1e-7, the resolution of float32."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, max(eps, 1e-7), rngs)


@fault("eps-at-most", "BN-INIT-8")
class EpsAtMost(StepwiseBatchNorm):
    """eps is cut to one."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, min(eps, 1.0), rngs)


@fault("momentum-at-most-999", "BN-INIT-8", diagnosed="momentum-at-most-unless-one")
class MomentumAtMost(StepwiseBatchNorm):
    """A momentum between 0.999 and 1 is cut to 0.999."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum if momentum == 1 else min(momentum, 0.999), eps, rngs)


@fault("eps-at-least-tiny", "BN-INIT-8", diagnosed="eps-at-least")
class EpsAtLeastTiny(StepwiseBatchNorm):
    """eps is raised to 1e-10."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, max(eps, 1e-10), rngs)


@fault("momentum-tiny-is-zero", "BN-INIT-8")
class MomentumTinyIsZero(StepwiseBatchNorm):
    """A momentum below 0.01 counts as zero."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum if momentum >= 0.01 else 0.0, eps, rngs)
