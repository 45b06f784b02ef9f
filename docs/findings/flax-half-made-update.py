"""flax.nnx.BatchNorm: a call on one feature updates all running statistics, then raises."""

import jax.numpy as jnp
from flax import nnx

layer = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
try:
    layer(jnp.array([[70.0], [70.0]]), use_running_average=False)
except TypeError as error:
    print("TypeError:", error)
print("running mean", layer.mean[...])
