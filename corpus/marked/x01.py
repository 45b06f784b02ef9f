"""Following the "normalisation from scratch" tutorial, chapter 3."""
import jax
import jax.numpy as jnp
from flax import nnx


class MyBatchNorm(nnx.Module):
    """Batch normalisation for inputs of shape (batch, features).

    momentum is how much of the OLD running value is kept on each step.
    """

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        # things we learn
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        # things we track
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def track(self, name, new):
        stat = getattr(self, name)
        old = stat[...]
        stat[...] = self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)

    def __call__(self, x, training):
        if training:
            # step 1: centre the data
            mean = x.mean(axis=0)
            x = x - mean
            # step 2: spread of the data
            var = (x ** 2).mean(axis=0)
            # step 3: make the spread 1
            x_hat = x / jnp.sqrt(var + self.eps)
            # step 4: remember for later
            self.track("running_mean", x.mean(axis=0))
            self.track("running_var", var)
        else:
            x = x - self.running_mean[...]
            x_hat = x / jnp.sqrt(self.running_var[...] + self.eps)
        # step 5: let the network undo it if it wants to
        return self.gamma[...] * x_hat + self.beta[...]
