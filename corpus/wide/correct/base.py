"""The reference of the wider domain, for faults to override, and with a hand-written backward."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from impl.wide_batchnorm import DOMAIN, WideBatchNorm


class Wide(WideBatchNorm):
    """A correct layer, cut into overridable pieces."""

    declares = {"wider": DOMAIN}

    @property
    def synced(self):
        return self.axis_name is not None

    def mean_of(self, rows, kept):
        return jnp.where(kept, rows, 0).sum(0) / jnp.maximum(kept.sum(), 1)


class WideVjp(Wide):
    """A correct layer whose training step has a hand-written backward pass."""

    def train_step(self, rows, kept):
        mean, var = self.statistics(rows, kept)
        self.update(mean, var, self.rows_counted(kept))

        def forward(rows, gamma, beta, kept):
            mean, var = self.statistics(rows, kept)
            inv = 1 / jnp.sqrt(var + self.eps)
            z = (rows - mean) * inv
            return gamma * z + beta, (z, inv, gamma, kept)

        @jax.custom_vjp
        def core(rows, gamma, beta, kept):
            return forward(rows, gamma, beta, kept)[0]

        core.defvjp(forward, partial(self.pulled))
        return core(rows, self.gamma[...], self.beta[...], kept)

    def pulled(self, res, dy):
        z, inv, gamma, kept = res
        dh = dy * gamma
        n = self.divisor(z, kept)
        shared = self.total(dh.sum(0)) / n + z * self.total((dh * z).sum(0)) / n
        dx = inv * (dh - jnp.where(kept, shared, 0))
        return dx.astype(z.dtype), self.summed(dy * z), self.summed(dy), None

    def divisor(self, z, kept):
        return jnp.maximum(self.rows_counted(kept), 1).astype(z.dtype)

    def summed(self, values):
        return values.sum(0).astype(jnp.float32)
