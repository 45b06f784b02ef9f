"""BN layer for the sweep scripts. Branch-free: modes selected by where."""
import jax.numpy as jnp
from flax import nnx


def select(flag, a, b):
    return tuple(jnp.where(flag, i, j) for i, j in zip(a, b))


class SweepBN(nnx.Module):
    def __init__(self, n_units, decay=0.97, eps=1e-5, rngs=None):
        self.decay = decay
        self.eps = eps
        for name, kind, fill in (
            ("g", nnx.Param, jnp.ones),
            ("b", nnx.Param, jnp.zeros),
            ("pop_mean", nnx.BatchStat, jnp.zeros),
            ("pop_var", nnx.BatchStat, jnp.ones),
        ):
            setattr(self, name, kind(fill((n_units,), jnp.float32)))

    def __call__(self, h, is_training):
        pop = (self.pop_mean[...], self.pop_var[...])

        mu = jnp.mean(h, axis=0)
        var = jnp.mean(h**2, axis=0)
        use_mu, use_var = select(is_training, (mu, var), pop)

        h = h - use_mu
        out = h / jnp.sqrt(use_var + self.eps)

        # population estimates; left alone outside of training
        a = self.decay
        fresh = (
            a * pop[0] + (1 - a) * jnp.mean(h, axis=0),
            a * pop[1] + (1 - a) * var,
        )
        self.pop_mean[...], self.pop_var[...] = select(is_training, fresh, pop)

        return out * self.g[...] + self.b[...]
