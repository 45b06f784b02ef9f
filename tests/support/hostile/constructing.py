"""Layers that cannot be constructed."""

import time

from support.numpy_norm import NumpyNorm, implementation


class Raises(NumpyNorm):
    """Requires an argument that nobody passes."""

    def __init__(self, config):
        raise ValueError("features must be a multiple of 128")


class Hangs(NumpyNorm):
    """Waits for a licence server, say."""

    def __init__(self, config):
        time.sleep(3600)


class Nothing(NumpyNorm):
    """Is None once it is built."""

    def __new__(cls, config):
        return None


raises, hangs, nothing = map(implementation, (Raises, Hangs, Nothing))
