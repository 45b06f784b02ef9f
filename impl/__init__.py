"""What is judged: the reference, flax's own layers, correct variants and a faulty gallery.

The names listed here are registered as entry points; each builds its ``Implementation`` when
it is asked for, so importing this package imports no framework.
"""

from __future__ import annotations

from conformance.adapters.implementation import Implementation

__all__ = ["flax", "flax_default", "flax_wide", "reference", "wide"]


def reference() -> Implementation:
    """Return the reference: ``MyBatchNorm`` and ``batchnorm_forward``."""
    from impl.batchnorm import MyBatchNorm  # noqa: PLC0415  imports jax
    from impl.forward import batchnorm_forward  # noqa: PLC0415

    return Implementation.nnx(
        MyBatchNorm, name="impl", forward=batchnorm_forward, kind="seed-shaped nnx.Module, forward"
    )


def flax() -> Implementation:
    """Return ``flax.nnx.BatchNorm`` with the two-pass variance."""
    from impl.builtin import two_pass  # noqa: PLC0415  imports flax

    return two_pass()


def flax_default() -> Implementation:
    """Return ``flax.nnx.BatchNorm`` as it comes, which declares its one-pass variance."""
    from impl.builtin import as_it_comes  # noqa: PLC0415  imports flax

    return as_it_comes()


def wide() -> Implementation:
    """Return the reference with any feature axis, masks, dtypes and named axes."""
    from impl.wide_batchnorm import DOMAIN, WideBatchNorm  # noqa: PLC0415  imports jax

    return Implementation.nnx(WideBatchNorm, name="wide", wider=DOMAIN)


def flax_wide() -> Implementation:
    """Return ``flax.nnx.BatchNorm``, two passes, with all that its constructor and call take."""
    from impl.builtin import widened  # noqa: PLC0415  imports flax

    return widened()
