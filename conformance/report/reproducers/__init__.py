"""Counterexamples as standalone scripts: NumPy, JAX, flax and the user's module, nothing else.

``recorder`` executes the stored case of a violation once more and logs its operations; its values
know how they were computed (``conformance.numerics.sources``). ``writing`` and ``render`` write the
log down, up to the comparison that failed; ``bundle`` copies the definitions that it needs. So a
claim is written once, as its property. ``verify`` runs the script once before it is written.
"""
