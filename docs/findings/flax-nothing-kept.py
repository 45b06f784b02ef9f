"""flax.nnx and linen BatchNorm: a fully masked batch makes the running statistics NaN for good.

The mean of no rows is 0/0. Over a named axis, one shard without rows is enough to affect all.
"""

import flax.linen
import jax
import jax.numpy as jnp
from flax import nnx

layer = nnx.BatchNorm(1, use_fast_variance=False, rngs=nnx.Rngs(0))
layer(jnp.ones((2, 1)), use_running_average=False, mask=jnp.zeros((2, 1), bool))
for _ in range(50):
    layer(jnp.array([[0.0], [1.0]]), use_running_average=False)
print("nnx, running mean after 50 more batches:", layer.mean[...])

module = flax.linen.BatchNorm(use_running_average=False)
variables = module.init(jax.random.key(0), jnp.ones((2, 1)))
nothing = jnp.zeros((2, 1), bool)
_, updated = module.apply(variables, jnp.ones((2, 1)), mask=nothing, mutable=["batch_stats"])
print("linen, running mean after the batch:", updated["batch_stats"]["mean"])


def shard(x, mask):
    layer = nnx.BatchNorm(1, axis_name="shards", use_fast_variance=False, rngs=nnx.Rngs(0))
    layer(x, use_running_average=False, mask=mask)
    return layer.mean[...]


mask = jnp.array([[[True], [True]], [[False], [False]]])
means = jax.vmap(shard, axis_name="shards")(jnp.ones((2, 2, 1)), mask)
print("nnx, running mean of both shards, one of them without rows:", means.ravel())
