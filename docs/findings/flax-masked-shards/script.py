"""flax BatchNorm: statistics over two shards, one with 0, 0, 0, 0 and one of which 10 is kept."""

import flax.linen
import jax
import jax.numpy as jnp
from flax import nnx

x = jnp.array([[[0.0], [0.0], [0.0], [0.0]], [[10.0], [7.0], [7.0], [7.0]]])
mask = jnp.array([[[True]] * 4, [[True]] + [[False]] * 3])


def nnx_statistics(x, mask):
    layer = nnx.BatchNorm(
        1, momentum=0.0, axis_name="shards", use_fast_variance=False, rngs=nnx.Rngs(0)
    )
    layer(x, use_running_average=False, mask=mask)
    return layer.mean[...], layer.var[...]


def linen_statistics(x, mask):
    module = flax.linen.BatchNorm(
        use_running_average=False, momentum=0.0, axis_name="shards", use_fast_variance=False
    )
    variables = module.init(jax.random.key(0), x)
    _, updated = module.apply(variables, x, mask=mask, mutable=["batch_stats"])
    return updated["batch_stats"]["mean"], updated["batch_stats"]["var"]


for name, function in (("nnx", nnx_statistics), ("linen", linen_statistics)):
    mean, var = jax.vmap(function, axis_name="shards")(x, mask)
    print("expected mean [2.], variance [16.] from", name)
    print(f"got      mean {mean[0]}, variance {var[0]} from", name)
