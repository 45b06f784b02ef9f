"""Counterexamples as standalone scripts: NumPy, JAX, flax and the user's module, nothing else.

A recipe per requirement (``recipes``) follows its claim with the literal arrays of a violation, and
ends at the comparison that failed. ``inliner`` copies functions into a script: the formulas of
the oracle, and those of ``driving`` and ``deriving``. ``render`` assembles the script, and
``verify`` runs it once before it is written.
"""
