"""Calls that change process-wide state; their results are right."""

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


def make_meddling(what):
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

prints = make_meddling(_print)
closes = make_meddling(_close)
writes = make_meddling(lambda: Path("debris.txt").write_text("debris"))
moves = make_meddling(lambda: os.chdir("/"))
seeds = make_meddling(lambda: (random.seed(0), np.random.seed(0)))  # noqa: NPY002
x64 = make_meddling(lambda: jax.config.update("jax_enable_x64", True))
warns = make_meddling(lambda: warnings.simplefilter("error"))
environment = make_meddling(
    lambda: os.environ.update(JAX_PLATFORMS="none", PYTHONPATH="", HOME="/")
)
signals = make_meddling(lambda: [signal.signal(s, signal.SIG_IGN) for s in (2, 14, 15)])
patches = make_meddling(_patch)
leaks = make_meddling(lambda: _leak.append(bytearray(8 << 20)))
threads = make_meddling(lambda: threading.Thread(target=time.sleep, args=(3600,)).start())
