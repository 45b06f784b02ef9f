"""Layers that misbehave on large batches alone."""

import os
import time

import jax
import numpy as np

from impl.batchnorm import MyBatchNorm

SMALL = 4096


def _sleep(x):
    time.sleep(1000)
    return x


def _take(x):
    hoard = []
    while True:
        hoard.append(np.ones(1 << 24))


def _end(x):
    os._exit(3)


class _OnLargeBatches(MyBatchNorm):
    most = SMALL

    def __call__(self, x, use_running_average):
        if x.shape[0] > self.most:
            x = jax.pure_callback(type(self).misbehave, x, x)
        return super().__call__(x, use_running_average=use_running_average)


class Slow(_OnLargeBatches):
    """Does not return in time from more than 60,000 rows."""

    most, misbehave = 60_000, staticmethod(_sleep)


class Hungry(_OnLargeBatches):
    """Takes all the memory there is for more than 60,000 rows."""

    most, misbehave = 60_000, staticmethod(_take)


class SlowOnAll(_OnLargeBatches):
    """Does not return in time from any large batch."""

    misbehave = staticmethod(_sleep)


class Ends(_OnLargeBatches):
    """Ends the process for more than 60,000 rows."""

    most, misbehave = 60_000, staticmethod(_end)


class SlowWhereSmall(_OnLargeBatches):
    """Does not return in time from a batch that is not large."""

    most, misbehave = 1000, staticmethod(_sleep)
