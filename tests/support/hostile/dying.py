"""Calls that end the process, or try to."""

import ctypes
import os
import signal

import numpy as np

from support.numpy_norm import NumpyNorm, implementation


class Exits(NumpyNorm):
    """Ends the process as if all were well."""

    def __call__(self, x, use_running_average):
        os._exit(0)


class Segfault(NumpyNorm):
    """Reads address 0."""

    def __call__(self, x, use_running_average):
        ctypes.string_at(0)


class Abort(NumpyNorm):
    """Aborts, as a failed check in C++ does."""

    def __call__(self, x, use_running_average):
        os.write(2, b"F0000 Check failed: rank == 2\n")
        os.abort()


class Killed(NumpyNorm):
    """Is killed from outside, as the kernel does when memory runs out."""

    def __call__(self, x, use_running_average):
        os.kill(os.getpid(), signal.SIGKILL)


class Recursion(NumpyNorm):
    """Calls itself without end."""

    def __call__(self, x, use_running_average):
        return self(x, use_running_average)


class MemoryHog(NumpyNorm):
    """Asks for more memory than there is."""

    def __call__(self, x, use_running_average):
        return np.ones(1 << 60, np.float32)


class Deaf(NumpyNorm):
    """Closes every file of the process, and with them the line to the suite."""

    def __call__(self, x, use_running_average):
        os.closerange(0, 256)
        return super().__call__(x, use_running_average)


exits, segfault, abort, killed, recursion, memory_hog, deaf = map(
    implementation, (Exits, Segfault, Abort, Killed, Recursion, MemoryHog, Deaf)
)
