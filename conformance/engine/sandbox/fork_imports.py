"""What the process that is forked imports: frameworks, and what a worker needs of this suite.

It starts no threads and computes nothing, because a fork has a single thread.
"""

import warnings

import flax.nnx  # noqa: F401
import hypothesis  # noqa: F401
import jax  # noqa: F401

import conformance.adapters.resolve
import conformance.engine.sandbox.supervisor
import conformance.engine.sandbox.worker
import conformance.properties  # noqa: F401
from conformance.engine.sandbox.confinement import hide_memory

hide_memory()  # what is forked for one implementation must not reach the next
warnings.filterwarnings("ignore", message=".*os.fork")  # of JAX, about threads
