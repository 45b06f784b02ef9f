"""Implementations that misbehave in one way each; otherwise they are the NumPy layer."""
