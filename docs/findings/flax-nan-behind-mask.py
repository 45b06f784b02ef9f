"""flax.nnx and linen BatchNorm: NaN in a masked row reaches the gradients of all other rows."""

import flax.linen
import jax
import jax.numpy as jnp
from flax import nnx

x = jnp.array([[jnp.nan], [0.0], [1.0]])
mask = jnp.array([[False], [True], [True]])


def loss(x):
    layer = nnx.BatchNorm(1, use_fast_variance=False, rngs=nnx.Rngs(0))
    y = layer(x, use_running_average=False, mask=mask)
    return jnp.where(mask, y, 0).sum()


def loss_of_linen(x):
    module = flax.linen.BatchNorm(use_running_average=False, use_fast_variance=False)
    variables = module.init(jax.random.key(0), jnp.ones((3, 1)))
    y, _ = module.apply(variables, x, mask=mask, mutable=["batch_stats"])
    return jnp.where(mask, y, 0).sum()


for name, function in (("nnx", loss), ("linen", loss_of_linen)):
    value, gradient = jax.value_and_grad(function)(x)
    print(f"{name}: loss {value:.3g}, its gradient {gradient.ravel()}")
