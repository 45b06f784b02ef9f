"""flax.linen.BatchNorm: a float64 batch turns float32 running statistics into float64.

The next call is compiled again, and a scan that carries the statistics raises.
"""

import os

os.environ["JAX_ENABLE_X64"] = "1"

import flax.linen
import jax
import jax.numpy as jnp

module = flax.linen.BatchNorm(use_running_average=False)
x = jnp.array([[0.0], [1.0]])
variables = module.init(jax.random.key(0), x)
_, updated = module.apply(variables, x, mutable=["batch_stats"])
for name, held in (("before", variables), ("after", updated)):
    print(f"running mean {name} the call:", held["batch_stats"]["mean"].dtype)


def step(statistics, x):
    given = {"params": variables["params"], "batch_stats": statistics}
    y, updated = module.apply(given, x, mutable=["batch_stats"])
    return updated["batch_stats"], y


try:
    jax.lax.scan(step, variables["batch_stats"], x[None])
except TypeError as error:
    print("TypeError:", str(error).splitlines()[0])
