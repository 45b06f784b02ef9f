"""How mutants of the reference and of flax's layer are judged, also by flax's own tests."""
