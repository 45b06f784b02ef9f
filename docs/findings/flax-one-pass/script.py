"""flax BatchNorm with its default options: three numbers of mean 10000 and deviation about 1."""

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

x = jnp.array([[9999.0], [10000.0], [10001.3]])
exact = np.asarray(x, np.float64)
y = (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5)

layer = nnx.BatchNorm(1, momentum=0.0, rngs=nnx.Rngs(0))
print("expected", y.ravel().round(2), "from nnx")
print("got     ", np.asarray(layer(x), np.float64).ravel().round(2), "from nnx")

module = flax.linen.BatchNorm(use_running_average=False)
of_linen, _ = module.init_with_output(jax.random.key(0), x)
print("expected", y.ravel().round(2), "from linen")
print("got     ", np.asarray(of_linen, np.float64).ravel().round(2), "from linen")
