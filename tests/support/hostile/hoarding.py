"""Calls that take memory without end; nothing of it is more than there is at once."""

import numpy as np

from support.numpy_norm import NumpyNorm, implementation

_kept = []


class Growing(NumpyNorm):
    """Keeps more memory with every call, as an unbounded cache does."""

    def __call__(self, x, use_running_average):
        _kept.append(np.ones(100 << 20, np.float32))
        return super().__call__(x, use_running_average)

    def read(self):
        _kept.append(np.ones(100 << 20, np.float32))
        return super().read()

    def write(self, values):
        _kept.append(np.ones(100 << 20, np.float32))
        super().write(values)


class Bursting(NumpyNorm):
    """Takes memory within one call, without end."""

    def __call__(self, x, use_running_average):
        kept = []
        while True:
            kept.append(np.ones(1 << 22, np.float32))


growing, bursting = map(implementation, (Growing, Bursting))
