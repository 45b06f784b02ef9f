"""flax.nnx and linen BatchNorm: by default v = mean(x²) − mean(x)², which cancels at large means.

The running variance stores the inaccurate value.
"""

import flax.linen
import jax
import jax.numpy as jnp
from flax import nnx

two_pass = nnx.BatchNorm(1, momentum=0.0, use_fast_variance=False, rngs=nnx.Rngs(0))
module = flax.linen.BatchNorm(use_running_average=False, momentum=0.0)

for mean in (0.0, 1e2, 1e3, 1e4):
    x = mean + jnp.array([[-1.0], [0.0], [1.3]])
    layer = nnx.BatchNorm(1, momentum=0.0, rngs=nnx.Rngs(0))
    y = layer(x)
    two_pass(x)
    _, updated = module.init_with_output(jax.random.key(0), x)
    _, updated = module.apply(updated, x, mutable=["batch_stats"])
    print(f"x = {mean:g} + (−1, 0, 1.3): y = {y.ravel()}, running variance {layer.var[...]},")
    print(f"    linen's {updated['batch_stats']['var']}, in two passes {two_pass.var[...]}")
