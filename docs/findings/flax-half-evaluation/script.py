"""nnx.BatchNorm with a 16-bit dtype, in evaluation, beside the exact value in that dtype."""

import jax.numpy as jnp
from flax import nnx

for dtype, mean, var in ((jnp.bfloat16, 300.7, 100.3), (jnp.float16, 0.0, 82191.0)):
    layer = nnx.BatchNorm(1, dtype=dtype, rngs=nnx.Rngs(0))
    layer.mean[...] = jnp.array([mean])
    layer.var[...] = jnp.array([var])
    y = layer(jnp.array([[320.0]], dtype), use_running_average=True)

    right = jnp.array((320 - mean) / (var + 1e-5) ** 0.5, dtype)
    print(f"expected {float(right):.4f} in {jnp.dtype(dtype)}")
    print(f"got      {float(y[0, 0]):.4f} in {jnp.dtype(dtype)}")
