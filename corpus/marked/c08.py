"""BatchNorm over row tiles with lax.scan (bounded working set)."""
import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx

TILE = 8


def _to_tiles(rows, tile):
    n, c = rows.shape
    pad = -n % tile
    rows = jnp.pad(rows, ((0, pad), (0, 0)))
    return rows.reshape(-1, tile, c)


def tiled_moments(rows, tile=TILE):
    """Two passes over the tiles: the mean first, squared deviations second."""
    n, c = rows.shape
    tiles = _to_tiles(rows, tile)
    zero = jnp.zeros((c,), rows.dtype)

    def add_rows(total, t):
        return total + jnp.sum(t, axis=0), None

    total, _ = lax.scan(add_rows, zero, tiles)
    mean = total / n

    def add_sq(total, t):
        return total + jnp.sum(lax.square(t - mean), axis=0), None

    sq, _ = lax.scan(add_sq, zero, tiles)
    return mean, sq / n


class TiledBatchNorm(nnx.Module):
    def __init__(self, channels: int, decay: float = 0.9, epsilon: float = 1e-5, *,
                 tile: int = TILE, rngs: nnx.Rngs = None):
        self.channels = channels
        self.decay = decay
        self.epsilon = epsilon
        self.tile = tile
        self.use_running_average = False
        self.gamma = nnx.Param(jnp.ones((channels,)))
        self.beta = nnx.Param(jnp.zeros((channels,)))
        self.ema_mean = nnx.BatchStat(jnp.zeros((channels,)))
        self.ema_var = nnx.BatchStat(jnp.ones((channels,)))

    def __call__(self, x: jax.Array) -> jax.Array:
        rows = x.reshape(-1, self.channels)
        if self.use_running_average:
            mean, var = self.ema_mean[...], self.ema_var[...]
        else:
            mean, var = tiled_moments(rows, self.tile)
            self.ema_mean[...] += (1 - self.decay) * (mean - self.ema_mean[...])
            self.ema_var[...] += (1 - self.decay) * (var - self.ema_var[...])
        out = (rows - mean) * lax.rsqrt(var + self.epsilon)
        out = out * self.gamma[...] + self.beta[...]
        return out.reshape(x.shape)
