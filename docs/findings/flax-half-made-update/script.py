"""nnx.BatchNorm: a call that raises has already changed the running statistics."""

import jax.numpy as jnp
from flax import nnx

layer = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
print("expected", layer.mean[...], "after a call that raises")
try:
    layer(jnp.array([[70.0], [70.0]]), use_running_average=False)
except (TypeError, ValueError):
    print("got     ", layer.mean[...], "after a call that raises")
