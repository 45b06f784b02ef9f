"""flax BatchNorm: the running mean after a batch of which the mask keeps nothing."""

import flax.linen
import jax
import jax.numpy as jnp
from flax import nnx

x = jnp.ones((2, 1))
nothing = jnp.zeros((2, 1), bool)

layer = nnx.BatchNorm(1, use_fast_variance=False, rngs=nnx.Rngs(0))
layer(x, use_running_average=False, mask=nothing)
print("expected [0.] from nnx")
print("got     ", layer.mean[...], "from nnx")

module = flax.linen.BatchNorm(use_running_average=False)
variables = module.init(jax.random.key(0), x)
_, updated = module.apply(variables, x, mask=nothing, mutable=["batch_stats"])
print("expected [0.] from linen")
print("got     ", updated["batch_stats"]["mean"], "from linen")


def shard(x, mask):
    layer = nnx.BatchNorm(
        1, momentum=0.0, axis_name="shards", use_fast_variance=False, rngs=nnx.Rngs(0)
    )
    layer(x, use_running_average=False, mask=mask)
    return layer.mean[...]


means = jax.vmap(shard, axis_name="shards")(jnp.stack((x, x)), jnp.stack((~nothing, nothing)))
print("expected [1. 1.] in two shards, one of which keeps nothing")
print("got     ", means.ravel(), "in two shards, one of which keeps nothing")
