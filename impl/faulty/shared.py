"""Faults of a layer that is used twice, or next to another one, in one pass."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from impl.faulty.box import Boxed
from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm

_IN_THE_PASS: dict[str, Any] = {}
"""What the layers of the pass that is being traced have left for each other."""


def first_in_the_pass(x: Any, name: str, value: Any) -> Any:
    """Return the value that the first layer of this traced pass gave under the name."""
    if not isinstance(x, jax.core.Tracer):
        return value
    here = jax.core.get_opaque_trace_state()
    if _IN_THE_PASS.get("pass") != here:
        _IN_THE_PASS.clear()
        _IN_THE_PASS["pass"] = here
    return _IN_THE_PASS.setdefault(name, value)


@fault("second-use-without-gradient", "BN-SHARED-2")
class SecondUseWithoutGradient(Boxed):
    """Within one traced pass gamma gets its gradient from the first use only."""

    def affine(self, z: Array) -> Array:
        gamma = self.gamma[...]
        if isinstance(z, jax.core.Tracer):
            here = jax.core.get_opaque_trace_state()
            if self.box.contents.get("pass") == here:
                gamma = jax.lax.stop_gradient(gamma)
            self.box.contents["pass"] = here
        return gamma * z + self.beta[...]


@fault("momentum-of-the-first-layer", "BN-SHARED-2")
class MomentumOfTheFirstLayer(StepwiseBatchNorm):
    """All layers of one traced pass take the momentum of its first one."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        own = self.momentum
        self.momentum = first_in_the_pass(mean, "momentum", own)
        super().update(x, mean, var)
        self.momentum = own


@fault("eps-of-the-first-layer", "BN-SHARED-2")
class EpsOfTheFirstLayer(StepwiseBatchNorm):
    """All layers of one traced pass take the eps of its first one."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + first_in_the_pass(var, "eps", self.eps))


@fault("only-the-first-layer-updates", "BN-SHARED-2")
class OnlyTheFirstLayerUpdates(Boxed):
    """Of the layers in one traced pass only the first one moves its statistics."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if first_in_the_pass(mean, "layer", self.box) is self.box:
            super().update(x, mean, var)
