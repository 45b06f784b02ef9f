"""The neighbour: nothing is wrong with it, whoever else is judged in the same run."""

from support.numpy_norm import NumpyNorm, implementation

layer = implementation(NumpyNorm)
