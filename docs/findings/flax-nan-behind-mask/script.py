"""flax BatchNorm: the gradient of a loss over the rows that a mask keeps; the other row is NaN."""

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

x = jnp.array([[jnp.nan], [0.0], [1.0]])
mask = jnp.array([[False], [True], [True]])


def loss_of_nnx(x):
    layer = nnx.BatchNorm(1, use_fast_variance=False, rngs=nnx.Rngs(0))
    y = layer(x, use_running_average=False, mask=mask)
    return jnp.where(mask, y, 0).sum()


def loss_of_linen(x):
    module = flax.linen.BatchNorm(use_running_average=False, use_fast_variance=False)
    variables = module.init(jax.random.key(0), jnp.ones((3, 1)))
    y, _ = module.apply(variables, x, mask=mask, mutable=["batch_stats"])
    return jnp.where(mask, y, 0).sum()


for name, loss in (("nnx", loss_of_nnx), ("linen", loss_of_linen)):
    gradient = np.abs(jax.grad(loss)(x)).ravel().round(3)
    print("expected", np.zeros(3), "as the size of the gradient of", name)
    print("got     ", gradient, "as the size of the gradient of", name)
