"""Layers that declare another dtype of their statistics or of their output."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx

from conformance.requirements.deviations import Deviation
from impl.narrow_batchnorm import Bfloat16Statistics, Float16Statistics
from impl.stepwise import Array, StepwiseBatchNorm
from impl.variants.record import variant

variant("bfloat16-statistics-declared", Deviation.statistics_in("bfloat16"))(Bfloat16Statistics)
variant("float16-statistics-declared", Deviation.statistics_in("float16"))(Float16Statistics)


@variant("bfloat16-parameters-declared", Deviation.parameters_in("bfloat16"))
class Bfloat16Parameters(StepwiseBatchNorm):
    """gamma and beta are stored in bfloat16; everything else is float32."""

    def start_gamma(self, d: int, rngs: nnx.Rngs) -> Array:
        return super().start_gamma(d, rngs).astype(jnp.bfloat16)

    def start_beta(self, d: int) -> Array:
        return super().start_beta(d).astype(jnp.bfloat16)


@variant("float16-averaging-declared", Deviation.statistics_in("float16"))
class Float16Averaging(Float16Statistics):
    """The running statistics are updated in float16 as well."""

    def moved(self, old: Array, new: Array) -> Array:
        return StepwiseBatchNorm.moved(self, old, new.astype(jnp.float16))


@variant("bfloat16-averaging-declared", Deviation.statistics_in("bfloat16"))
class Bfloat16Averaging(Bfloat16Statistics):
    """The running statistics are updated in bfloat16 as well."""

    def moved(self, old: Array, new: Array) -> Array:
        return StepwiseBatchNorm.moved(self, old, new.astype(jnp.bfloat16))


@variant("bfloat16-output-declared", Deviation.output_in("bfloat16"))
class Bfloat16Output(StepwiseBatchNorm):
    """y is computed in float32, and rounded to bfloat16 at the end."""

    def affine(self, z: Array) -> Array:
        return super().affine(z).astype(jnp.bfloat16)


@variant("bfloat16-affine-declared", Deviation.output_in("bfloat16"))
class Bfloat16Affine(StepwiseBatchNorm):
    """z, gamma and beta are rounded to bfloat16 first, as in a model of that dtype."""

    def affine(self, z: Any) -> Array:
        gamma, beta = (a[...].astype(jnp.bfloat16) for a in (self.gamma, self.beta))
        return gamma * z.astype(jnp.bfloat16) + beta


@variant("float16-output-declared", Deviation.output_in("float16"))
class Float16Output(StepwiseBatchNorm):
    """y is computed in float32, and rounded to float16 at the end."""

    def affine(self, z: Array) -> Array:
        return super().affine(z).astype(jnp.float16)


@variant("float16-affine-declared", Deviation.output_in("float16"))
class Float16Affine(StepwiseBatchNorm):
    """z, gamma and beta are rounded to float16 first, as in a model of that dtype."""

    def affine(self, z: Any) -> Array:
        gamma, beta = (a[...].astype(jnp.float16) for a in (self.gamma, self.beta))
        return gamma * z.astype(jnp.float16) + beta
