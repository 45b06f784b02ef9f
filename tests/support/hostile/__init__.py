"""Implementations that do what a layer must not; each is the NumPy layer but for that."""
