"""linen.BatchNorm: the dtype of the running mean after a float64 batch."""

import os

os.environ["JAX_ENABLE_X64"] = "1"

import flax.linen
import jax
import jax.numpy as jnp

module = flax.linen.BatchNorm(use_running_average=False)
x = jnp.array([[0.0], [1.0]], jnp.float64)
variables = module.init(jax.random.key(0), x)
_, updated = module.apply(variables, x, mutable=["batch_stats"])
print("expected", variables["batch_stats"]["mean"].dtype)
print("got     ", updated["batch_stats"]["mean"].dtype)


def step(statistics, x):
    given = {"params": variables["params"], "batch_stats": statistics}
    y, updated = module.apply(given, x, mutable=["batch_stats"])
    return updated["batch_stats"], y


print("expected a scan over batches that ends")
try:
    jax.lax.scan(step, variables["batch_stats"], x[None])
    print("got      a scan over batches that ends")
except TypeError as error:
    print("got      TypeError:", str(error).splitlines()[0])
