"""Project-wide wrapper around nnx.BatchNorm.

Pins the options the team agreed on (two-pass variance, float32 parameters), makes
`rngs` optional and lets layers be built from a config dictionary.
"""
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.BatchNorm):
    """nnx.BatchNorm with project defaults.

    Args:
      num_features: size of the feature axis (last).
      momentum: decay rate of the running statistics, close to one.
      epsilon: added to the variance.
      use_running_average: mode, unless the call says otherwise.
    """

    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        use_running_average: bool = False,
        rngs: nnx.Rngs | None = None,
    ):
        super().__init__(
            num_features,
            use_running_average=use_running_average,
            axis=-1,
            momentum=1.0 - momentum,
            epsilon=epsilon,
            param_dtype=jnp.float32,
            use_fast_variance=False,
            rngs=nnx.Rngs(0) if rngs is None else rngs,
        )

    @classmethod
    def from_config(cls, num_features, config, rngs=None):
        """Reads `bn_momentum` and `bn_epsilon` from a run configuration."""
        return cls(
            num_features,
            momentum=config.get("bn_momentum", 0.99),
            epsilon=config.get("bn_epsilon", 1e-5),
            rngs=rngs,
        )

    def __call__(self, x, use_running_average=None):
        return super().__call__(x, use_running_average=use_running_average)
