"""Proof of the suite's own power: which fault is caught by which requirement."""
