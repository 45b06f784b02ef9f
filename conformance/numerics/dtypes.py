"""Properties of floating-point dtypes that the bounds depend on."""

from __future__ import annotations

ROUNDOFF = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}
"""Unit roundoff u, with rounding to nearest."""

SPACING_AT_ZERO = {"bfloat16": 0.0, "float16": 2.0**-24}
"""Spacing of the smallest numbers of 16 bits, where it matters: those of float16 are evenly spaced
below 2⁻¹⁴; those of bfloat16 end where those of float32 do."""

LARGEST_IN_FLOAT16 = 3e4
"""Half of the range of float16: beyond, the sum of two numbers may overflow."""
