"""Calls that change what the whole process shares; their results are right."""

import os
import random
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from support.numpy_norm import NumpyNorm, implementation


def meddling(what):
    """Return the implementation whose calls do this first."""

    class Meddles(NumpyNorm):
        def __call__(self, x, use_running_average):
            what()
            return super().__call__(x, use_running_average)

    return implementation(Meddles)


def _print():
    print("spam " * 200_000)
    print("spam " * 200_000, file=sys.stderr)


def _close():
    sys.stdout.close()
    sys.stderr.close()


def _patch():
    jnp.mean = jnp.var = lambda *_, **__: None


_leak = []

prints = meddling(_print)
closes = meddling(_close)
writes = meddling(lambda: Path("debris.txt").write_text("debris"))
moves = meddling(lambda: os.chdir("/"))
seeds = meddling(lambda: (random.seed(0), np.random.seed(0)))  # noqa: NPY002
x64 = meddling(lambda: jax.config.update("jax_enable_x64", True))
warns = meddling(lambda: warnings.simplefilter("error"))
environment = meddling(lambda: os.environ.update(JAX_PLATFORMS="none", PYTHONPATH="", HOME="/"))
signals = meddling(lambda: [signal.signal(s, signal.SIG_IGN) for s in (2, 14, 15)])
patches = meddling(_patch)
leaks = meddling(lambda: _leak.append(bytearray(8 << 20)))
threads = meddling(lambda: threading.Thread(target=time.sleep, args=(3600,)).start())
