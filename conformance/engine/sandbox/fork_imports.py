"""What the process imports that is forked for workers: frameworks, and what a worker needs.

It starts no threads and computes nothing, because a fork has a single thread.
"""

import warnings

import flax.nnx  # noqa: F401
import jax  # noqa: F401

import conformance.adapters.resolve
import conformance.engine.sandbox.worker  # noqa: F401
from conformance.engine.sandbox.confinement import hide_memory

hide_memory()  # what is forked for one implementation must not reach the next
warnings.filterwarnings("ignore", message=".*os.fork")  # of JAX, about threads
