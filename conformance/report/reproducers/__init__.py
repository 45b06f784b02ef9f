"""Counterexamples as scripts of their own: NumPy, JAX, flax and the user's module, nothing else.

A recipe per requirement (``recipes``) follows its claim with the literal arrays of a violation, and
ends at the comparison that failed. ``definition``, ``driving`` and ``deriving`` hold the functions
that are copied into scripts, ``rendering`` puts everything together, and ``writing`` tries the
result once before it is written.
"""
