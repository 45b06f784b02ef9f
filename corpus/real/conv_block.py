"""Convolution, batch norm and activation in one block: not a batch norm."""

from flax import nnx


class ConvBNReLU(nnx.Module):
    def __init__(self, in_channels: int, out_channels: int, *, rngs: nnx.Rngs):
        self.conv = nnx.Conv(in_channels, out_channels, (3, 3), use_bias=False, rngs=rngs)
        self.bn = nnx.BatchNorm(out_channels, momentum=0.9, epsilon=1e-5, rngs=rngs)

    def __call__(self, x, train: bool = True):
        return nnx.relu(self.bn(self.conv(x), use_running_average=not train))
