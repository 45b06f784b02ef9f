"""A wrapper that gives flax's layer PyTorch's name and a ``train`` argument."""

from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, decay: float = 0.9, *, rngs: nnx.Rngs):
        self.bn = nnx.BatchNorm(num_features, momentum=decay, epsilon=eps, rngs=rngs)

    def __call__(self, x, train: bool = True):
        return self.bn(x, use_running_average=not train)
