"""Changing time, random numbers and hashes, and with them what is drawn and for how long."""

from __future__ import annotations

import hashlib
import random
import secrets
import time

import numpy as np

from support.forgeries import End, before_each_call, submission
from support.forgeries.layers import Always42, EpsOutside, Right, SwappedMomentum


@submission(Always42, options=("--max-time=60",))
def the_time_is_up():
    """Lets all clocks be far in the future, so that there is no time for cases."""
    for name in ("time", "monotonic", "perf_counter"):
        setattr(time, name, lambda: 1e12)


@submission(SwappedMomentum, options=("--max-time=60",))
def the_time_is_up_after_the_first_call():
    """Moves the clock in its calls."""

    def move():
        time.time = lambda: 1e12

    return before_each_call(SwappedMomentum, move)


@submission(EpsOutside, end=End.RUN)
def the_same_hash_each_time():
    """Lets everything have the same digest, by which JAX finds programs: calls get wrong ones."""

    class Zero:
        def update(self, data):
            return None

        def digest(self, size=32):
            return bytes(size)

        def hexdigest(self, size=32):
            return "0" * 2 * size

    for name in ("sha256", "shake_256", "sha1", "md5", "blake2b"):
        setattr(hashlib, name, lambda *args, **rest: Zero())


@submission(EpsOutside)
def the_same_random_numbers():
    """Lets every random number be 0."""
    random.Random.random = lambda self: 0.0
    random.Random.getrandbits = lambda self, count: 0
    random.getrandbits = lambda count: 0
    secrets.randbelow = lambda limit: 0
    np.random.default_rng = lambda seed=None: None


@submission(Right)
def neighbour_seeds_and_measures():
    """Right: seeds random numbers in each call, and freezes a clock of its own."""

    def seed():
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        time.sleep(0.001)

    return before_each_call(Right, seed)
