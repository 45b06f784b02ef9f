"""One-edit mutants of the reference and of flax's BatchNorm, and who notices them."""
