"""flax.nnx.BatchNorm, 16-bit dtype: evaluation first rounds the running statistics to it."""

import flax.linen
import jax
import jax.numpy as jnp
from flax import nnx

for dtype, mean, var in ((jnp.bfloat16, 300.7, 100.3), (jnp.float16, 0.0, 82191.0)):
    layer = nnx.BatchNorm(1, dtype=dtype, rngs=nnx.Rngs(0))
    layer.mean[...] = jnp.array([mean])
    layer.var[...] = jnp.array([var])
    x = jnp.array([[320.0]], dtype)
    y = layer(x, use_running_average=True)

    module = flax.linen.BatchNorm(use_running_average=True, dtype=dtype)
    variables = module.init(jax.random.key(0), x)
    statistics = {"mean": jnp.array([mean]), "var": jnp.array([var])}
    of_linen = module.apply({"params": variables["params"], "batch_stats": statistics}, x)
    right = (320 - mean) / (var + 1e-5) ** 0.5
    print(f"{dtype.__name__}, ({320} − {mean})/√{var}: {right:.4f};", end=" ")
    print(f"nnx {float(y[0, 0]):.4f}, linen {float(of_linen[0, 0]):.4f}")
