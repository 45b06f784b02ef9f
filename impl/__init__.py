"""The implementations: the reference, flax's layers, correct variants and a gallery of faults.

The functions are registered as entry points. Each imports its layer when it is called, so
importing this package imports no framework.
"""

from __future__ import annotations

from conformance.adapters.implementation import Implementation

__all__ = ["flax", "flax_default", "reference"]


def reference() -> Implementation:
    """Return the reference: ``MyBatchNorm`` and ``batchnorm_forward``."""
    from impl.batchnorm import MyBatchNorm  # noqa: PLC0415  imports jax
    from impl.forward import batchnorm_forward  # noqa: PLC0415

    return Implementation.nnx(
        MyBatchNorm, name="impl", forward=batchnorm_forward, kind="seed-shaped nnx.Module, forward"
    )


def flax() -> Implementation:
    """Return ``flax.nnx.BatchNorm`` with the two-pass variance."""
    from impl.flax_batchnorm import two_pass  # noqa: PLC0415  imports flax

    return two_pass()


def flax_default() -> Implementation:
    """Return ``flax.nnx.BatchNorm`` with its defaults, which declares its one-pass variance."""
    from impl.flax_batchnorm import one_pass  # noqa: PLC0415  imports flax

    return one_pass()
