"""What is observed where the requirements leave something open: one function per MAY row.

Each calls a layer and returns one sentence, without its subject and full stop. Nothing is judged.
"""

from __future__ import annotations

from conformance.properties.observations import (  # noqa: F401  they register their functions
    derivatives,
    inputs,
    settings,
)
