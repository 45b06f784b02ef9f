"""Several devices on one host, for what is spread over devices."""

from __future__ import annotations

import os

HOST_DEVICES = 4
"""How many devices a host is presented as; on CPU they cost no time unless they are used."""

_FLAG = "xla_force_host_platform_device_count"


def offer_host_devices() -> None:
    """Let JAX present this host as several devices, unless the user has chosen a number.

    Must run before jax starts, because jax reads the variable then.
    """
    if _FLAG not in os.environ.get("XLA_FLAGS", ""):
        os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(HOST_DEVICES))
