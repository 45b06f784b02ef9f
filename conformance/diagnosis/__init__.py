"""Model-based fault localization, and the adapter check.

``diagnose`` is imported on first use (PEP 562): the controlling process imports
``diagnosis.client``, and must stay free of NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.diagnosis.diagnosis import diagnose
    from conformance.diagnosis.record import Diagnosis

__all__ = ["Diagnosis", "diagnose"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from conformance.diagnosis import diagnosis  # noqa: PLC0415  imports NumPy

    return getattr(diagnosis, name)
