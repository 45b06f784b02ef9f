"""flax.nnx and linen BatchNorm: a named axis weights shards equally, whatever their masks keep."""

import flax.linen
import jax
import jax.numpy as jnp
from flax import nnx

x = jnp.array([[[0.0], [0.0], [0.0], [0.0]], [[10.0], [7.0], [7.0], [7.0]]])
mask = jnp.array([[[True]] * 4, [[True]] + [[False]] * 3])  # kept: 0, 0, 0, 0 and 10


def statistics(x, mask):
    layer = nnx.BatchNorm(
        1, momentum=0.0, axis_name="shards", use_fast_variance=False, rngs=nnx.Rngs(0)
    )
    layer(x, use_running_average=False, mask=mask)
    return layer.mean[...], layer.var[...]


def of_linen(x, mask):
    module = flax.linen.BatchNorm(
        use_running_average=False, momentum=0.0, axis_name="shards", use_fast_variance=False
    )
    variables = module.init(jax.random.key(0), x)
    _, updated = module.apply(variables, x, mask=mask, mutable=["batch_stats"])
    return updated["batch_stats"]["mean"], updated["batch_stats"]["var"]


print("mean and variance of the rows that count: 2 and 16")
for name, function in (("nnx", statistics), ("linen", of_linen)):
    mean, var = jax.vmap(function, axis_name="shards")(x, mask)
    print(f"{name}: mean {mean[0]}, variance {var[0]}")
