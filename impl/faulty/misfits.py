"""Faults that show only when the input does not fit the layer."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("surplus-features-dropped", "BN-ERR-1")
class SurplusFeaturesDropped(StepwiseBatchNorm):
    """Features beyond the layer's number of features are left out."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return super().__call__(x[:, : self.gamma.shape[0]], use_running_average)


@fault("missing-features-padded", "BN-ERR-1")
class MissingFeaturesPadded(StepwiseBatchNorm):
    """An input with too few features is filled up with zeros."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        missing = max(self.gamma.shape[0] - x.shape[1], 0)
        padded = jnp.pad(jnp.asarray(x), ((0, 0), (0, missing))) if missing else x
        return super().__call__(padded, use_running_average)


@fault("state-follows-the-width", "BN-ERR-1")
class StateFollowsTheWidth(StepwiseBatchNorm):
    """The layer makes itself anew when the number of features changes."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if x.shape[1] != self.gamma.shape[0]:
            self.create(x.shape[1], nnx.Rngs(0))
        return super().__call__(x, use_running_average)


@fault("decayed-before-the-shapes-meet", "BN-ERR-1")
class DecayedBeforeTheShapesMeet(StepwiseBatchNorm):
    """The running statistics are decayed in place before the new part is added."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        for running, batch in ((self.running_mean, mean), (self.running_var, var)):
            running[...] = self.momentum * running[...]
            running[...] = running[...] + self.moved(jnp.zeros_like(batch), batch)


@fault("statistics-take-the-width", "BN-ERR-1")
class StatisticsTakeTheWidth(StepwiseBatchNorm):
    """The running statistics take the width of the batch, and the output raises too late."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        at = jnp.arange(mean.shape[0]) % self.running_mean.shape[0]
        self.running_mean.set_value(self.moved(self.running_mean[at], mean))
        self.running_var.set_value(self.moved(self.running_var[at], var))


@fault("folded-into-the-width", "BN-ERR-1")
class FoldedIntoTheWidth(StepwiseBatchNorm):
    """An input whose width is a multiple of the layer's is folded into more rows."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        width = self.gamma.shape[0]
        if x.shape[1] == width or x.shape[1] % width:
            return super().__call__(x, use_running_average)
        folded = jnp.asarray(x).reshape(-1, width)
        return super().__call__(folded, use_running_average).reshape(x.shape)


@fault(
    "reshaped-after-the-update",
    "BN-ERR-2",
    source="flax NNX: a call on one feature raises with the statistics moved",
    diagnosed="beta-unused@one-feature",
)
class ReshapedAfterTheUpdate(StepwiseBatchNorm):
    """gamma takes the width of the input after the running statistics have moved."""

    def affine(self, z: Array) -> Array:
        return super().affine(z) if z.shape[1] != 1 else self.gamma[...].reshape(1, 1) * z


@fault("single-feature-refused-late", "BN-ERR-2")
class SingleFeatureRefusedLate(StepwiseBatchNorm):
    """A wrong number of features is noticed between the update and the output."""

    def output(self, x: Any, mean: Array, var: Array) -> Array:
        if x.shape[1] != self.gamma.shape[0]:
            msg = f"{x.shape[1]} features, expected {self.gamma.shape[0]}"
            raise ValueError(msg)
        return super().output(x, mean, var)
